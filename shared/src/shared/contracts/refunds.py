"""Facts that refunds owns."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from shared.contracts.base import Money, OrderEvent, Value

Origin = Literal["system", "buyer", "agent"]


class Ground(Value):
    """A clause that fired: the document (RP, PO, RC, RF), the clause number as in policies.md, and its sense."""

    document: str
    clause: str
    text: str


class Explanation(Value):
    """The decision in the buyer's language."""

    en: str
    ru: str


class RefundRequested(OrderEvent, topic="refunds.refund-requested"):
    """A case is open."""

    case_id: UUID
    reason: str
    origin: Origin
    requested_at: datetime


class RefundApproved(OrderEvent, topic="refunds.refund-approved"):
    """The money is to go back, for these clauses of the policy in force when the order was paid."""

    case_id: UUID
    #: The key of the intended money move: one refund, however often this fact is read.
    refund_id: UUID
    amount: Money
    policy: str
    grounds: tuple[Ground, ...]
    explanation: Explanation
    approved_at: datetime
    pay_by: datetime | None = None
    credited_by: date | None = None
