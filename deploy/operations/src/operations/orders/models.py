"""Orders as they are searched for and shown. No e-mail address is kept or shown. Amounts are minor units, times UTC."""

from datetime import date, datetime
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from operations.clients.trace_store import SpanView
from operations.invariants.models import ViolationView
from shared.contracts.base import OrderNumber
from shared.values.iccid import Iccid
from shared.values.text import Line


class Search(BaseModel):
    """What to search for: exactly one of these. The e-mail address is hashed on arrival and not stored."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    number: OrderNumber | None = None
    order_id: UUID | None = None
    iccid: Iccid | None = None
    email: Annotated[str, Line(254, 3)] | None = Field(None, repr=False)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if len(self.model_dump(exclude_none=True)) != 1:
            raise ValueError("name exactly one of number, order_id, iccid, email")
        return self

    @field_validator("email")
    @classmethod
    def _has_two_parts(cls, value: str | None) -> str | None:
        """Text that is no address is refused, instead of being answered with "no order"."""
        if value is not None and not all(value.rpartition("@")[::2]):
            raise ValueError("is not an e-mail address")
        return value


class OrderLine(BaseModel):
    """An order in a list of results."""

    order_id: UUID
    order_number: str
    storefront: str
    kind: str | None
    plan: str | None
    status: str
    placed_at: datetime | None
    paid_at: datetime | None
    open_violations: int


class EsimView(BaseModel):
    """An eSIM that the order is about: made for it, or topped up by it (then without `generated_at`)."""

    iccid: str
    operator: str | None
    generated_at: datetime | None


class CaseView(BaseModel):
    """A refund case, as its facts describe it."""

    case_id: UUID
    reason: str | None
    requested_at: datetime | None
    information_asked_at: datetime | None
    cancellation_accepted_at: datetime | None
    revocation_requested_at: datetime | None
    approved_at: datetime | None
    denied_at: datetime | None
    appealed_at: datetime | None
    appeal_answer_by: datetime | None


class RefundView(BaseModel):
    """A refund, in minor units. `charge_id`: of a surplus capture; None: of the order's price."""

    refund_id: UUID
    case_id: UUID | None
    charge_id: UUID | None
    policy: str | None
    clauses: str | None
    approved_minor: int | None
    currency: str | None
    approved_at: datetime | None
    pay_by: datetime | None
    credited_by: date | None
    settled_minor: int | None
    settled_at: datetime | None
    failed_at: datetime | None
    retried_at: datetime | None
    #: Still owed after payments by hand; None: there was none.
    left_minor: int | None


class TimelineLine(BaseModel):
    """A fact (`topic`, `summary`) or, where spans were requested, a span of the trace (`span`)."""

    at: datetime
    topic: str | None
    summary: dict[str, Any]
    told_at: datetime | None
    known_at: datetime | None
    trace_id: str | None
    trace_url: str | None
    span: SpanView | None = None


class OrderView(OrderLine):
    """Everything that is stored of an order. `moments`: the known times by name (`paid_at`), UTC."""

    price_minor: int | None
    paid_minor: int | None
    currency: str | None
    moments: dict[str, datetime]
    trace_id: str | None
    trace_url: str | None
    esims: list[EsimView]
    cases: list[CaseView]
    refunds: list[RefundView]
    violations: list[ViolationView]
    timeline: list[TimelineLine]
    #: Why the timeline has no spans although they were requested.
    spans_problem: str | None = None
