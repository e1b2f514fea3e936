"""An order's status, derived from the facts that are present, whatever their order and number."""

from collections.abc import Collection, Iterable
from datetime import datetime
from enum import StrEnum


class Fact(StrEnum):
    """What may be known about an order, in the order in which a smooth story tells it."""

    ORDER_PLACED = "order_placed"
    ORDER_HELD = "order_held"
    ORDER_RELEASED = "order_released"
    ORDER_REFUSED = "order_refused"
    PAYMENT_FAILED = "payment_failed"
    PAYMENT_LAPSED = "payment_lapsed"
    ORDER_PAID = "order_paid"
    DUPLICATE_CHARGED = "duplicate_charged"
    PROFILE_GENERATED = "profile_generated"
    PROFILE_FAILED = "profile_failed"
    TOP_UP_APPLIED = "top_up_applied"
    TOP_UP_FAILED = "top_up_failed"
    DELIVERY_FAILED = "delivery_failed"
    QR_DELIVERED = "qr_delivered"
    PROFILE_INSTALLED = "profile_installed"
    PROFILE_ACTIVATED = "profile_activated"
    PROFILE_DELETED = "profile_deleted"
    PROFILE_EXPIRED = "profile_expired"
    REFUND_REQUESTED = "refund_requested"
    INFORMATION_NEEDED = "information_needed"
    CANCELLATION_ACCEPTED = "cancellation_accepted"
    REFUND_DENIED = "refund_denied"
    APPEAL_RECEIVED = "appeal_received"
    PROFILE_REVOKED = "profile_revoked"
    REVOCATION_REFUSED = "revocation_refused"
    REFUND_APPROVED = "refund_approved"
    REFUND_FAILED = "refund_failed"
    REFUND_RETRIED = "refund_retried"
    REFUND_PAID_BY_HAND = "refund_paid_by_hand"
    REFUND_SETTLED = "refund_settled"
    #: The same of a second payment for the order: they say nothing about the order itself.
    SURPLUS_REQUESTED = "surplus_requested"
    SURPLUS_APPROVED = "surplus_approved"
    SURPLUS_FAILED = "surplus_failed"
    SURPLUS_RETRIED = "surplus_retried"
    SURPLUS_PAID_BY_HAND = "surplus_paid_by_hand"
    SURPLUS_SETTLED = "surplus_settled"
    RECEIPT_ISSUED = "receipt_issued"


class Status(StrEnum):
    """Where an order stands."""

    PLACED = "placed"
    HELD = "held"
    REFUSED = "refused"
    PAYMENT_FAILED = "payment_failed"
    LAPSED = "lapsed"
    PAID = "paid"
    PROFILE_READY = "profile_ready"
    PROVISIONING_FAILED = "provisioning_failed"
    DELIVERY_FAILED = "delivery_failed"
    DELIVERED = "delivered"
    TOPPED_UP = "topped_up"
    EXPIRED = "expired"
    REVOKED = "revoked"
    REFUND_REQUESTED = "refund_requested"
    REFUND_APPROVED = "refund_approved"
    REFUND_FAILED = "refund_failed"
    REFUNDED = "refunded"


_PRECEDENCE: tuple[tuple[Fact, Status], ...] = (
    (Fact.REFUND_SETTLED, Status.REFUNDED),
    (Fact.REFUND_FAILED, Status.REFUND_FAILED),
    (Fact.REFUND_RETRIED, Status.REFUND_APPROVED),
    (Fact.REFUND_APPROVED, Status.REFUND_APPROVED),
    (Fact.APPEAL_RECEIVED, Status.REFUND_REQUESTED),
    (Fact.REFUND_REQUESTED, Status.REFUND_REQUESTED),
    (Fact.PROFILE_REVOKED, Status.REVOKED),
    (Fact.PROFILE_EXPIRED, Status.EXPIRED),
    (Fact.QR_DELIVERED, Status.DELIVERED),
    (Fact.TOP_UP_APPLIED, Status.TOPPED_UP),
    (Fact.PROFILE_FAILED, Status.PROVISIONING_FAILED),
    (Fact.TOP_UP_FAILED, Status.PROVISIONING_FAILED),
    (Fact.DELIVERY_FAILED, Status.DELIVERY_FAILED),
    (Fact.PROFILE_GENERATED, Status.PROFILE_READY),
    (Fact.ORDER_PAID, Status.PAID),
    (Fact.PAYMENT_LAPSED, Status.LAPSED),
    (Fact.PAYMENT_FAILED, Status.PAYMENT_FAILED),
    (Fact.ORDER_REFUSED, Status.REFUSED),
    (Fact.ORDER_RELEASED, Status.PLACED),
    (Fact.ORDER_HELD, Status.HELD),
)

_OF_CASES = frozenset({Fact.REFUND_REQUESTED, Fact.REFUND_DENIED, Fact.APPEAL_RECEIVED})


def status(facts: Collection[str]) -> Status:
    """The status that these facts amount to. The first of this list that is present decides:

    1. refund settled: *refunded*. The money is back; nothing outranks that.
    2. refund failed: *refund_failed*. The bank refused and a person must act, so it may not look like a refund under
       way; neither does a part that was paid by hand. A settlement after it (the person acted) is 1; while the bank is
       asked again, 3 (`standing` compares the attempts).
    3. refund approved: *refund_approved*. The money is on its way.
    4. refund requested, or an appeal received: *refund_requested*. A case is open, also where the code was delivered
       before. A request that was denied is none any more (`standing` tells which stand).
    5. profile revoked: *revoked*. The code works no longer, for good; what becomes of the money is 1 to 4.
    6. profile expired: *expired*. Never activated in time (RC 7), or the plan has ended.
    7. QR delivered: *delivered*, once and for all (PO 3.4): a mailbox that refuses another copy takes nothing back.
    8. top-up applied: *topped_up*. What delivery is to an eSIM; it cannot be reversed (RC 4).
    9. profile or top-up failed: *provisioning_failed*. Final by contract; it outranks a profile that was also reported.
    10. delivery failed: *delivery_failed*. The profile exists and waits for a mailbox that takes it.
    11. profile generated: *profile_ready*.
    12. order paid: *paid*. It outranks failed attempts, also those that are reported later, and a lapse: a payment
        that still arrives is honoured.
    13. payment lapsed: *lapsed*. Nobody paid within the shop's time.
    14. payment failed: *payment_failed*. The order can still be paid by another attempt.
    15. order refused: *refused*. Fraud control held it, and an agent refused it before it could be paid (PP 4.5).
    16. order released: *placed*; order held: *held*, until an agent has looked.
    17. otherwise *placed*.

    Installed, activated and deleted are told in the timeline; they change nothing for the order. Nor do receipts, and a
    second payment and its way back (RF 2.4): the order keeps the first one.

    A later stage implies the earlier ones (delivered implies generated implies paid), so a stage whose predecessors
    have not been heard of yet counts all the same.
    """
    if Fact.REFUND_DENIED in facts and Fact.APPEAL_RECEIVED not in facts:
        facts = set(facts) - {Fact.REFUND_REQUESTED}
    return next((then for fact, then in _PRECEDENCE if fact in facts), Status.PLACED)


def standing(told: Iterable[tuple[Fact, str, datetime]]) -> set[Fact]:
    """The facts (fact, ref, time) without what later ones ended.

    That is: requests that were denied, denials that an appeal reopened, and refusals of the bank where a later attempt
    is under way. The ref of a request, a denial or an appeal begins with its case's id; that of an attempt is the
    refund's id, followed by `/` and the number of the attempt where it is not the first.
    """
    found: set[Fact] = set()
    attempts: dict[Fact, dict[str, int]] = {Fact.REFUND_FAILED: {}, Fact.REFUND_RETRIED: {}}
    asked: dict[str, datetime] = {}
    denied: dict[str, datetime] = {}
    kinds: dict[str, set[Fact]] = {}
    for fact, ref, at in told:
        if fact in attempts:
            refund, _, number = ref.partition("/")
            attempts[fact][refund] = max(int(number or 1), attempts[fact].get(refund, 0))
            continue
        if fact not in _OF_CASES:
            found.add(fact)
            continue
        case = ref.partition("/")[0]
        times = denied if fact is Fact.REFUND_DENIED else asked
        times[case] = max(at, times.get(case, at))
        kinds.setdefault(case, set()).add(fact)
    for case, facts in kinds.items():
        if case not in denied or (case in asked and asked[case] > denied[case]):
            found |= facts - {Fact.REFUND_DENIED}
    failed, retried = attempts[Fact.REFUND_FAILED], attempts[Fact.REFUND_RETRIED]
    if retried:
        found.add(Fact.REFUND_RETRIED)
    if any(number >= retried.get(refund, 0) for refund, number in failed.items()):
        found.add(Fact.REFUND_FAILED)
    return found
