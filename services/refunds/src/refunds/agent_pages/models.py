"""What the agents' pages show of the other services' answers. Fields that are not shown are not read."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, RootModel

from shared.contracts import Company, Money


class FoundContact(BaseModel):
    """Whom an order belongs to. `proved`: somebody has proved to read the mailbox; `blocked`: PP 6.2."""

    name: str
    email: str
    phone: str
    language: str
    blocked: bool
    proved: bool
    company: Company | None = None


class FoundOrder(BaseModel):
    """An order, as ordering has it. `contact` None: erased. `status` None: not derived yet."""

    order_id: UUID
    order_number: str
    storefront: str
    plan_title: str
    price: Money
    placed_at: datetime
    status: str | None
    held: bool
    contact: FoundContact | None


class FoundOrders(BaseModel):
    """The newest orders that were found; `more`: there are others."""

    orders: list[FoundOrder]
    more: bool


class Hold(BaseModel):
    """That an order was held, why in words, and what an agent decided; without a decision it waits for one."""

    held_at: datetime
    reasons: list[str]
    decision: str | None
    decided_at: datetime | None
    decided_by: str | None


class Corrected(BaseModel):
    """What a correction of a contact would change, and of how many orders. `contact_at`: when it changed last."""

    changed: list[str]
    orders: int
    contact_at: datetime


class Effect(BaseModel):
    """What a request of PP 6.2 would reach, or reached: orders by their numbers. `left`: of the mailbox, not proved."""

    request_id: UUID | None
    orders: list[str]
    left: list[str]
    effect: str


class Export(RootModel[dict[str, Any]]):
    """What each service holds of a buyer, by service and kind."""


class TimelineLine(BaseModel):
    """One fact of an order in a sentence, in the seller's time zone."""

    at: datetime
    sentence: str


class Timeline(RootModel[list[TimelineLine]]):
    """The facts of an order, the earliest first."""


class Attempt(BaseModel):
    """An attempt to pay. `agent`: what an agent should know of a failed one."""

    number: int
    state: str
    opened_at: datetime
    settled_at: datetime | None
    agent: str | None = None


class Attempts(BaseModel):
    """All attempts to pay an order."""

    attempts: list[Attempt]


class Ledger(BaseModel):
    """Sums of an order's ledger in minor units: paid by the buyer, paid back (also by hand)."""

    currency: str | None
    paid_in: int
    paid_out: int
    paid_by_hand: int


class Receipt(BaseModel):
    """A fiscal receipt. state: issued | waiting | parked (for a person)."""

    kind: str
    state: str
    issued_at: datetime | None = None
    ticket_url: str | None = None


class Receipts(BaseModel):
    """All receipts of an order."""

    receipts: list[Receipt]


class Profile(BaseModel):
    """How the profile of an order is made; `reason`: why it is not."""

    operator: str
    state: str
    iccid: str | None
    reason: str | None
    deadline: datetime
    settled_at: datetime | None


class Reported(BaseModel):
    """A value of the operator with its source and time; None: unknown (I15)."""

    value: str | int | None
    source: str | None
    observed_at: datetime | None


class Lifecycle(BaseModel):
    """What became of a profile."""

    install: Reported
    used_bytes: Reported
    total_bytes: int | None
    plan_ends_at: datetime | None
    valid_until: datetime
    revoked_at: datetime | None
    expired_at: datetime | None


class SentMail(BaseModel):
    """An email of ours about the order, and what became of it."""

    kind: str
    state: str
    smtp_code: int | None
    enhanced_code: str | None
    created_at: datetime
    settled_at: datetime | None
    bounced_at: datetime | None


class OrderMails(BaseModel):
    """`known` False: notifications has not heard of the order yet."""

    known: bool
    mails: list[SentMail]
