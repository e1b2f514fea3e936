"""Values of persons' actions on refused refunds. Amounts in minor units."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

#: Kind of the task that books a confirmed payment by hand; its key is the payment's id.
HAND_PAYMENT = "hand_payment"


class Refusal(StrEnum):
    """Why an action was refused. Published as `reason` of RefundActionAnswered."""

    UNKNOWN_REFUND = "unknown_refund"
    #: Approved, under way, of unknown outcome, or paid: only what the bank has refused is retried or paid by hand.
    NOT_REFUSED = "refund_not_refused"
    #: A payment by hand waits for a second person.
    PAYMENT_OPEN = "hand_payment_open"
    WRONG_CURRENCY = "wrong_currency"
    UNKNOWN_WAY = "unknown_way"
    MORE_THAN_OWED = "more_than_owed"
    #: Other refunds have used up what was paid for the order (PO 6.3).
    BEYOND_PAYMENT = "beyond_payment"
    UNKNOWN_PAYMENT = "unknown_payment"
    #: The payment was confirmed or rejected before.
    DECIDED_BEFORE = "decided_before"
    SAME_PERSON = "same_person"
    #: The bank's status shows the refund: it is settled as the bank's, and the payment by hand is not booked.
    BANK_HAS_PAID = "bank_has_paid"


@dataclass(slots=True, frozen=True)
class RefundStanding:
    """A refund at the time of an action. `left`: neither paid nor about to be paid by hand."""

    state: str
    left: int
    currency: str
    payment_open: bool


@dataclass(slots=True, frozen=True)
class PaymentStanding:
    """A payment by hand at the time of its decision."""

    state: str
    recorded_by: UUID
