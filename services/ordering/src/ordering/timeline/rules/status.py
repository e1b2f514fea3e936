"""The status of an order, derived from its facts. The sequence and the repetition of facts do not matter."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from ordering.timeline.models import Fact, Status

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

#: All statuses from the one without facts to the one that outranks the others.
RANKING: tuple[Status, ...] = tuple(dict.fromkeys((Status.PLACED, *(then for _, then in reversed(_PRECEDENCE)))))
#: Facts after which the status must be derived from all facts: they can end another fact (`facts_in_force`), or lead to
#: a status that stands in `RANKING` elsewhere.
NEEDS_ALL_FACTS = _OF_CASES | {
    Fact.REFUND_APPROVED,
    Fact.REFUND_FAILED,
    Fact.REFUND_RETRIED,
    Fact.REFUND_SETTLED,
    Fact.REFUND_PART_APPROVED,
    Fact.REFUND_PART_SETTLED,
    Fact.ORDER_HELD,
    Fact.ORDER_RELEASED,
    Fact.ORDER_REFUSED,
}
#: Facts that raise the status to this one, unless it ranks higher already. Other facts do not change it.
RAISES_TO: Mapping[Fact, Status] = {fact: then for fact, then in _PRECEDENCE if fact not in NEEDS_ALL_FACTS}


def status(facts: Collection[str]) -> Status:
    """Derive the status from the kinds of facts. The first line of this list whose fact is present decides:

    1. refund settled: *refunded*. The money is back; nothing outranks that.
    2. refund failed: *refund_failed*. The bank refused and a person must act, so it must not look like a refund in
       progress; the same after a part was paid by hand. A later settlement is 1; a later attempt at the bank is 3
       (`facts_in_force` compares the attempts).
    3. refund approved: *refund_approved*. The money is on its way.
    4. refund requested, or an appeal received: *refund_requested*. A case is open, even if the QR code was delivered
       before. A denied request does not count (`facts_in_force`).
    5. profile revoked: *revoked*. The code does not work any more; 1 to 4 say what happens to the money.
    6. profile expired: *expired*. Never activated in time (RC 7), or the plan has ended.
    7. QR code delivered: *delivered*, permanently (PO 3.4): a mailbox that rejects another copy changes nothing.
    8. top-up applied: *topped_up*. For a top-up this is the delivery; it cannot be reversed (RC 4).
    9. profile or top-up failed: *provisioning_failed*. Final by contract; it outranks a profile that was also reported.
    10. delivery failed: *delivery_failed*. The profile exists and waits for a mailbox that accepts it.
    11. profile generated: *profile_ready*.
    12. order paid: *paid*. It outranks failed attempts, also those reported later, and a lapse: a late payment is
        accepted.
    13. payment lapsed: *lapsed*. The order was not paid within the shop's time limit.
    14. payment failed: *payment_failed*. The order can still be paid by another attempt.
    15. order refused: *refused*. Fraud control held it, and an agent refused it before it could be paid (PP 4.5).
    16. order released: *placed*; order held: *held*, until an agent has decided.
    17. otherwise *placed*.

    The refund of a part of the payment leaves the order where it stands: the eSIM stays in use. It answers its case's
    request (4), and a refusal by the bank (2) counts until it is settled.

    Installed, activated, first used, deleted, low data and an end that approaches appear in the timeline and do not
    change the status; neither do receipts, nor a second payment and its refund (RF 2.4): the order keeps the first
    payment.

    A later stage implies the earlier ones (delivered implies generated implies paid), so a stage counts even if the
    facts before it have not arrived yet.
    """
    if Fact.REFUND_DENIED in facts and Fact.APPEAL_RECEIVED not in facts:
        facts = set(facts) - {Fact.REFUND_REQUESTED}
    return next((then for fact, then in _PRECEDENCE if fact in facts), Status.PLACED)


def facts_in_force(facts: Iterable[tuple[Fact, str, datetime]]) -> set[Fact]:
    """Drop the facts that later facts ended, and return the kinds that remain. Input: (fact, ref, time).

    Dropped are: requests that were denied, or answered by the refund of a part; denials that an appeal reopened; and
    refusals of the bank that a later attempt, or the settlement of a part, follows. The ref of a request, a denial or
    an appeal begins with the case's id. The ref of an attempt is the refund's id, followed by `/` and the attempt's
    number unless it is the first; that of a part's approval is the refund's id and the case's.
    """
    in_force: set[Fact] = set()
    attempts: dict[Fact, dict[str, int]] = {Fact.REFUND_FAILED: {}, Fact.REFUND_RETRIED: {}}
    requested: dict[str, datetime] = {}
    #: By case, the last answer that ended it without a refund of the whole payment.
    answered: dict[str, datetime] = {}
    kinds_by_case: dict[str, set[Fact]] = {}
    settled_parts: set[str] = set()
    for fact, ref, at in facts:
        if fact is Fact.REFUND_PART_SETTLED:
            settled_parts.add(ref)
            continue
        if fact is Fact.REFUND_PART_APPROVED:
            case = ref.partition("/")[2]
            answered[case] = max(at, answered.get(case, at))
            continue
        if fact in attempts:
            refund, _, number = ref.partition("/")
            attempts[fact][refund] = max(int(number or 1), attempts[fact].get(refund, 0))
            continue
        if fact not in _OF_CASES:
            in_force.add(fact)
            continue
        case = ref.partition("/")[0]
        times = answered if fact is Fact.REFUND_DENIED else requested
        times[case] = max(at, times.get(case, at))
        kinds_by_case.setdefault(case, set()).add(fact)
    for case, kinds in kinds_by_case.items():
        if case not in answered or (case in requested and requested[case] > answered[case]):
            in_force |= kinds - {Fact.REFUND_DENIED}
    failed, retried = (
        {refund: number for refund, number in numbers.items() if refund not in settled_parts}
        for numbers in attempts.values()
    )
    if retried:
        in_force.add(Fact.REFUND_RETRIED)
    if any(number >= retried.get(refund, 0) for refund, number in failed.items()):
        in_force.add(Fact.REFUND_FAILED)
    return in_force
