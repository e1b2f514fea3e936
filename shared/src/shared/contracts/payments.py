"""Facts that payments owns."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from shared.contracts.base import BuyerErased, Iccid, Kind, Money, OrderEvent, PayoutWay, Plan

#: How the buyer paid; it decides how long a refund takes to arrive (docs/policies.md).
Method = Literal["card", "bank_transfer", "wallet"]


class OrderPaid(OrderEvent, topic="payments.order-paid"):
    """The money is captured, confirmed by the bank's own status answer. Carries what provisioning needs."""

    kind: Kind
    iccid: Iccid | None = None
    plan: Plan
    paid: Money
    invoice_id: str
    paid_at: datetime
    method: Method = "card"


class PaymentFailed(OrderEvent, topic="payments.payment-failed", minor=1):
    """One attempt to pay failed; the order can still be paid by another."""

    invoice_id: str
    #: Epay's reasonCode (docs/wire/epay.md).
    reason_code: int
    #: Why, for the buyer; English.
    reason: str
    reason_ru: str | None = None
    #: None: published by a release before 1.1, which knew two languages.
    reason_kk: str | None = None
    reason_ka: str | None = None
    failed_at: datetime


class PaymentLapsed(OrderEvent, topic="payments.payment-lapsed"):
    """The order was not paid within the storefront's time. A later payment is accepted: OrderPaid follows."""

    lapsed_at: datetime


class DuplicateCharged(OrderEvent, topic="payments.duplicate-charged"):
    """The bank captured money for an order that was paid already; this capture is to go back (RF 2.4)."""

    #: The id of the surplus capture, for RefundApproved.charge_id.
    charge_id: UUID
    invoice_id: str
    amount: Money
    captured_at: datetime


class ReceiptIssued(OrderEvent, topic="payments.receipt-issued"):
    """The cash register issued a fiscal receipt (PO 4.3)."""

    receipt_id: UUID
    kind: Literal["sale", "sale_return"]
    amount: Money
    #: The fiscal sign.
    check_number: str
    #: The public page of the receipt at the fiscal operator.
    ticket_url: str
    #: The refund that a sale return documents.
    refund_id: UUID | None = None
    issued_at: datetime


class RefundSettled(OrderEvent, topic="payments.refund-settled", minor=2):
    """The whole refund has been paid: by the bank to the original method, or by a person (`way`)."""

    refund_id: UUID
    amount: Money
    settled_at: datetime
    #: The last day by which the bank usually credits it.
    credited_by: date | None = None
    #: The first day on which it may arrive, and the last in rare cases (RP 3, RC 3, RF 5.3), at the seller's.
    credited_from: date | None = None
    credited_at_latest: date | None = None
    method: Method = "card"
    #: The surplus capture that went back; None: the kept one.
    charge_id: UUID | None = None
    #: How the last part was paid where a person paid it; None: the bank returned it to the original method.
    way: PayoutWay | None = None
    #: How much of `amount` persons paid; None: nothing.
    paid_by_hand: Money | None = None
    #: What is left of the payment, without all that is returned or being returned: above 0 the refund was a part.
    #: None: not known (an earlier release), or a surplus capture.
    remaining_payment: Money | None = None

    @property
    def is_part(self) -> bool:
        """Whether something of the payment is left. An earlier release does not say; it is taken for the whole."""
        return self.remaining_payment is not None and self.remaining_payment.amount > 0


class RefundFailed(OrderEvent, topic="payments.refund-failed", minor=1):
    """One attempt at the bank was refused. The refund waits until a person retries it or pays it another way."""

    refund_id: UUID
    amount: Money
    reason: str
    failed_at: datetime
    charge_id: UUID | None = None
    #: Counts the attempts from 1; None: published by a version that made one attempt only.
    attempt: int | None = Field(None, ge=1)
    #: The bank's own code; None: the bank was not called.
    bank_code: int | None = None
    #: What is still owed to the buyer; None: the whole amount.
    left: Money | None = None


class RefundRetried(OrderEvent, topic="payments.refund-retried"):
    """A person started a refused refund again, under the same refund id."""

    refund_id: UUID
    #: 2 and more.
    attempt: int = Field(ge=2)
    #: The amount that the bank is to return now.
    amount: Money
    retried_at: datetime
    charge_id: UUID | None = None


class RefundPaidByHand(OrderEvent, topic="payments.refund-paid-by-hand"):
    """A person paid a refused refund, or a part of it, another way, and a second person confirmed it."""

    refund_id: UUID
    payment_id: UUID
    amount: Money
    way: PayoutWay
    #: What is still owed to the buyer after it. At zero, RefundSettled is published as well.
    left: Money
    paid_at: datetime
    charge_id: UUID | None = None


class RefundActionAnswered(OrderEvent, topic="payments.refund-action-answered"):
    """The result of a person's action on a refused refund (refunds.refund-retry-requested and others)."""

    refund_id: UUID
    #: `action_id` of a retry; `payment_id` of a hand payment that was recorded; `decision_id` of its decision.
    action_id: UUID
    accepted: bool
    #: A stable word for the reason of a refusal; payments' README lists them.
    reason: str | None = None
    answered_at: datetime


class PaymentsBuyerErased(BuyerErased, topic="payments.buyer-erased"):
    """Payments holds no more data of that buyer (PP 6.2)."""
