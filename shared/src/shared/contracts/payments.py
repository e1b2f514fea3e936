"""Facts that payments owns."""

from datetime import date, datetime
from uuid import UUID

from shared.contracts.base import Iccid, Kind, Money, OrderEvent, Plan


class OrderPaid(OrderEvent, topic="payments.order-paid"):
    """The money is captured, confirmed by the bank's own status answer. Carries what provisioning needs."""

    kind: Kind
    iccid: Iccid | None = None
    plan: Plan
    paid: Money
    invoice_id: str
    paid_at: datetime


class PaymentFailed(OrderEvent, topic="payments.payment-failed"):
    """One attempt to pay failed; the order can still be paid by another."""

    invoice_id: str
    #: Epay's reasonCode (interfaces.md section 1).
    reason_code: int
    reason: str
    failed_at: datetime


class RefundSettled(OrderEvent, topic="payments.refund-settled"):
    """The bank accepted the refund to the original method."""

    refund_id: UUID
    amount: Money
    settled_at: datetime
    #: The last day by which the bank usually credits it.
    credited_by: date | None = None


class RefundFailed(OrderEvent, topic="payments.refund-failed"):
    """The bank refused the refund for good: a person must act."""

    refund_id: UUID
    amount: Money
    reason: str
    failed_at: datetime
