"""May a person's action on a refund be taken as things stand? Pure decisions; amounts in minor units."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

#: How a person may pay (`PayoutWay` in the contracts is open: what is not listed here is refused, visibly).
WAYS = frozenset({"bank_transfer", "other_card", "cash", "wallet", "other"})
#: States of a payment that a second person has yet to decide, or whose decision is being carried out.
OPEN = frozenset({"recorded", "confirming"})


class Refusal(StrEnum):
    """Why an action was not taken. Published as `reason` of RefundActionAnswered."""

    UNKNOWN_REFUND = "unknown_refund"
    #: Approved, under way, of unknown outcome, or over: only what the bank has refused is retried or paid by hand.
    NOT_REFUSED = "refund_not_refused"
    #: A payment by hand waits for a second person.
    PAYMENT_OPEN = "hand_payment_open"
    WRONG_CURRENCY = "wrong_currency"
    UNKNOWN_WAY = "unknown_way"
    MORE_THAN_OWED = "more_than_owed"
    #: Other refunds have used up what was paid for the order (PO 6.3).
    BEYOND_PAYMENT = "beyond_payment"
    UNKNOWN_PAYMENT = "unknown_payment"
    #: It was confirmed or rejected before.
    DECIDED_BEFORE = "decided_before"
    SAME_PERSON = "same_person"
    #: The bank's status shows the refund after all: it is settled as the bank's, and the payment by hand is not booked.
    BANK_HAS_PAID = "bank_has_paid"


@dataclass(slots=True, frozen=True)
class RefundStanding:
    """A refund as an action finds it. `left`: not paid and not about to be paid by hand."""

    state: str
    left: int
    currency: str
    payment_open: bool


@dataclass(slots=True, frozen=True)
class PaymentStanding:
    """A payment by hand as its decision finds it."""

    state: str
    recorded_by: UUID


def refuse_retry(refund: RefundStanding | None) -> Refusal | None:
    """None: the bank may be asked again."""
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
