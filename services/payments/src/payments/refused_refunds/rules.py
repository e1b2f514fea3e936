"""Whether a person's action on a refused refund is accepted. Pure decisions; amounts in minor units."""

from uuid import UUID

from payments.refused_refunds.models import PaymentStanding, RefundStanding, Refusal

#: How a person may pay. `PayoutWay` in the contracts is open; a way that is not listed here is refused.
WAYS = frozenset({"bank_transfer", "other_card", "cash", "wallet", "other"})


def refuse_retry(refund: RefundStanding | None) -> Refusal | None:
    """None: the refund may be retried."""
    if refund is None:
        return Refusal.UNKNOWN_REFUND
    if refund.state != "failed":
        return Refusal.NOT_REFUSED
    return Refusal.PAYMENT_OPEN if refund.payment_open else None


def refuse_payment(refund: RefundStanding | None, *, amount: int, currency: str, way: str) -> Refusal | None:
    """None: the payment may be recorded."""
    if refund is None or (refused := refuse_retry(refund)):
        return Refusal.UNKNOWN_REFUND if refund is None else refused
    checks = (
        (currency != refund.currency, Refusal.WRONG_CURRENCY),
        (way not in WAYS, Refusal.UNKNOWN_WAY),
        (not 0 < amount <= refund.left, Refusal.MORE_THAN_OWED),
    )
    return next((refusal for holds, refusal in checks if holds), None)


def refuse_decision(payment: PaymentStanding | None, *, by: UUID) -> Refusal | None:
    """None: this person may confirm or reject the payment."""
    if payment is None:
        return Refusal.UNKNOWN_PAYMENT
    if payment.state != "recorded":
        return Refusal.DECIDED_BEFORE
    return Refusal.SAME_PERSON if payment.recorded_by == by else None
