"""What is answered. No personal data: orders are found by an e-mail address, and never show one. Times are UTC."""

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel

from shared.operations.answers import Summary

Severity = Literal["page", "ticket"]


class ViolationView(BaseModel):
    """One thing that was found wrong. `since`: since when it is so, by the facts; `first_seen_at`: found here."""

    invariant: str
    subject: str
    order_id: UUID | None
    order_number: str | None
    since: datetime | None
    detail: dict[str, Any]
    first_seen_at: datetime
    last_seen_at: datetime
    resolved_at: datetime | None


class InvariantView(BaseModel):
    """An invariant and how it stands. `violations` is None before its first evaluation.

    `as_of`: every fact told until then had been applied; rules about orders look no further. It stands still while the
    consumer has a backlog.
    """

    name: str
    severity: Severity
    title: str
    meaning: str
    violations: int | None
    evaluated_at: datetime | None
    as_of: datetime | None
    milliseconds: int | None


class InvariantDetail(InvariantView):
    """With what is wrong now (at most 100, the oldest first) and what was mended lately (at most 20)."""

    open: list[ViolationView]
    resolved: list[ViolationView]


class Overview(BaseModel):
    """How much is known, and whether all is well. `broken`: invariants that do not hold; `as_of` as there.

    `evaluated_at` is of the invariant that was evaluated longest ago; None while one never was.
    """

    orders: int
    paid: int
    surplus_captures: int
    facts: int
    invariants: int
    broken: list[str]
    evaluated_at: datetime | None
    as_of: datetime | None


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
    """A refund case, by its facts."""

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
    """Money that goes back, in minor units. `charge_id`: a surplus capture; None: what the order cost."""

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


class RefusedRefundView(BaseModel):
    """A refund that the bank refused and that is neither settled nor being tried again: a person has to act.

    `left_minor`: what is still owed after payments by hand, in minor units; `reason`: the bank's last answer. None: not
    known here (any more).
    """

    refund_id: UUID
    case_id: UUID | None
    charge_id: UUID | None
    order_id: UUID
    order_number: str | None
    storefront: str | None
    left_minor: int | None
    currency: str | None
    failed_at: datetime
    reason: str | None
    pay_by: datetime | None


class RefusedRefunds(BaseModel):
    """Refused refunds, the longest waiting first: the first 200 in `items`, and how many there are."""

    total: int
    items: list[RefusedRefundView]


class SpanView(BaseModel):
    """A step of the order's trace, as the trace store tells it."""

    service: str
    name: str
    started_at: datetime
    milliseconds: float
    error: bool
    span_id: str
    trace_url: str | None


class TimelineLine(BaseModel):
    """A fact (`topic`, `summary`) or, where spans were asked for, a step of the trace (`span`)."""

    at: datetime
    topic: str | None
    summary: dict[str, Any]
    told_at: datetime | None
    known_at: datetime | None
    trace_id: str | None
    trace_url: str | None
    span: SpanView | None = None


class OrderView(OrderLine):
    """Everything that is known of an order. `moments` holds the known ones by name (`paid_at`), UTC."""

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
    #: Why the timeline has no spans although they were asked for.
    spans_problem: str | None = None


class ServiceView(BaseModel):
    """A service as it answered last, or the `problem` that kept it from answering.

    `summary`: its own figures, of `summary_at`; `operators`: provisioning's view of its operators.
    """

    service: str
    url: str
    asked_at: datetime | None
    ready: bool
    not_ready_since: datetime | None
    checks: dict[str, str]
    summary: Summary | None
    summary_at: datetime | None
    operators: list[dict[str, Any]] | None
    problem: str | None
