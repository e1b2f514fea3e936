"""Which update a fact states, and what its body says. Pure.

Facts without an update: a generated profile and receipts (nothing that a shop acts on), a second payment before its
refund, an activated profile (installation and first use say it), a deleted one, a refused revocation, an accepted
cancellation (its refund follows), a part paid by hand (the settlement follows).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ordering.timeline.models import Fact, FactDetail, NewFact, OrderState, RecordedFact
from ordering.timeline.rules.status import facts_in_force, status
from ordering.updates.models import Change, Update
from shared.contracts import FieldError


def updates_of(facts: Sequence[NewFact]) -> list[Update]:
    """The updates of facts that were just recorded. The status in each is the order's after all of these facts."""
    states: dict[int, set[tuple[Fact, str, datetime]]] = {}
    for new in facts:
        known = states.setdefault(new.order.order_id.int, set(new.order.facts))
        known.add((new.recorded.fact, new.recorded.ref, new.recorded.at))
    updates = []
    for new in facts:
        change = change_of(new.recorded)
        if change is not None:
            now = status(facts_in_force(states[new.order.order_id.int]))
            updates.append(update_of_order(new.order, change, now, new.recorded.at, new.recorded.trace))
    return updates


def update_of_order(order: OrderState, change: Change, now: str, at: datetime, trace: str | None) -> Update:
    """An update about an order whose status is `now`."""
    data = {
        "order_id": str(order.order_id),
        "order_number": str(order.number),
        "submission_id": order.submission_id,
        "kind": order.kind,
        "status": str(now),
        "plan_id": order.plan_id,
        "price": {"amount": order.price, "currency": order.currency},
        "test": order.test,
        **change.fields,
    }
    return Update(order.storefront, order.order_id, change.type, change.ref, at, data, trace)


def rejected_submission(
    storefront: str, submission_id: str, reason: str, errors: Sequence[FieldError], at: datetime, trace: str | None
) -> Update:
    """The update of a submission over Kafka that was refused: there is no order."""
    data: dict[str, Any] = {
        "order_id": None,
        "order_number": None,
        "submission_id": submission_id,
        "reason": reason,
        "errors": [error.model_dump() for error in errors],
    }
    return Update(storefront, None, "order.rejected", submission_id, at, data, trace)


def change_of(recorded: RecordedFact) -> Change | None:
    """What a fact means for the shop; None where it is not published to shops."""
    change = _CHANGES.get(recorded.fact)
    return None if change is None else change(recorded)


def _plain(type_: Any) -> Callable[[RecordedFact], Change]:
    """An update without fields of its own, at most one for each order."""
    return lambda _recorded: Change(type_)


def _payment_failed(recorded: RecordedFact) -> Change:
    return Change("order.payment_failed", recorded.ref, {"reason_code": recorded.detail.get("reason_code")})


def _refused(_recorded: RecordedFact) -> Change:
    return Change("order.rejected", "", {"reason": "refused-by-agent", "errors": []})


def _delivered(recorded: RecordedFact) -> Change:
    # The first delivery counts (PO 3.4), by whichever channel.
    return Change("order.delivered", "", {"channel": recorded.detail.get("channel")})


def _delivery_failed(recorded: RecordedFact) -> Change:
    return Change("order.delivery_failed", recorded.ref, {"smtp_code": recorded.detail.get("smtp_code")})


def _data_low(recorded: RecordedFact) -> Change:
    detail = recorded.detail
    fields = {
        "percent": detail.get("percent"),
        "used_bytes": detail.get("used_bytes"),
        "total_bytes": detail.get("total_bytes"),
    }
    return Change("esim.data_low", recorded.ref, fields)


def _expiring(recorded: RecordedFact) -> Change:
    detail = recorded.detail
    fields = {"reason": detail.get("reason"), "ends_at": detail.get("ends_at"), "ends_on": detail.get("ends_on")}
    return Change("esim.expiring", recorded.ref, fields)


def _expired(recorded: RecordedFact) -> Change:
    return Change("esim.expired", "", {"reason": recorded.detail.get("reason")})


def _topped_up(recorded: RecordedFact) -> Change:
    return Change("esim.topped_up", "", {"total_bytes": recorded.detail.get("total_bytes")})


def _requested(*, surplus: bool = False, appeal: bool = False) -> Callable[[RecordedFact], Change]:
    def change(recorded: RecordedFact) -> Change:
        fields = {"case_id": _first_part(recorded.ref), "surplus": surplus, "appeal": appeal}
        return Change("refund.requested", recorded.ref, fields)

    return change


def _information_needed(recorded: RecordedFact) -> Change:
    fields = {"case_id": _first_part(recorded.ref), "missing": list(recorded.detail.get("missing", ()))}
    return Change("refund.information_needed", recorded.ref, fields)


def _denied(recorded: RecordedFact) -> Change:
    fields = {"case_id": _first_part(recorded.ref), "clauses": list(recorded.detail.get("clauses", ()))}
    return Change("refund.denied", recorded.ref, fields)


def _approved(*, surplus: bool = False) -> Callable[[RecordedFact], Change]:
    def change(recorded: RecordedFact) -> Change:
        fields = {**_refund(recorded, surplus), "clauses": list(recorded.detail.get("clauses", ()))}
        return Change("refund.approved", recorded.ref, fields)

    return change


def _settled(*, surplus: bool = False) -> Callable[[RecordedFact], Change]:
    def change(recorded: RecordedFact) -> Change:
        detail = recorded.detail
        fields = {"credited_by": detail.get("credited_by"), "way": detail.get("way")}
        return Change("refund.settled", recorded.ref, {**_refund(recorded, surplus), **fields})

    return change


def _failed(*, surplus: bool = False) -> Callable[[RecordedFact], Change]:
    return lambda recorded: Change("refund.failed", recorded.ref, _refund(recorded, surplus))


def _refund(recorded: RecordedFact, surplus: bool) -> dict[str, Any]:
    refund_id, _, attempt = recorded.ref.partition("/")
    if recorded.fact is Fact.REFUND_PART_APPROVED:
        attempt = ""  # its ref names the case
    amount = _amount(recorded.detail)
    return {"refund_id": refund_id, "amount": amount, "attempt": int(attempt or 1), "surplus": surplus}


def _amount(detail: FactDetail) -> dict[str, Any] | None:
    if "amount" not in detail:
        return None
    return {"amount": detail["amount"], "currency": detail["currency"]}


def _first_part(ref: str) -> str:
    return ref.partition("/")[0]


_CHANGES: Mapping[Fact, Callable[[RecordedFact], Change]] = {
    Fact.ORDER_HELD: _plain("order.held"),
    Fact.ORDER_RELEASED: _plain("order.released"),
    Fact.ORDER_REFUSED: _refused,
    Fact.PAYMENT_FAILED: _payment_failed,
    Fact.PAYMENT_LAPSED: _plain("order.lapsed"),
    Fact.ORDER_PAID: _plain("order.paid"),
    Fact.PROFILE_FAILED: _plain("order.failed"),
    Fact.TOP_UP_FAILED: _plain("order.failed"),
    Fact.TOP_UP_APPLIED: _topped_up,
    Fact.DELIVERY_FAILED: _delivery_failed,
    Fact.QR_DELIVERED: _delivered,
    Fact.PROFILE_INSTALLED: _plain("esim.installed"),
    Fact.PROFILE_FIRST_USED: _plain("esim.first_used"),
    Fact.DATA_LOW: _data_low,
    Fact.PROFILE_EXPIRING: _expiring,
    Fact.PROFILE_EXPIRED: _expired,
    Fact.PROFILE_REVOKED: _plain("esim.revoked"),
    Fact.REFUND_REQUESTED: _requested(),
    Fact.SURPLUS_REQUESTED: _requested(surplus=True),
    Fact.APPEAL_RECEIVED: _requested(appeal=True),
    Fact.INFORMATION_NEEDED: _information_needed,
    Fact.REFUND_DENIED: _denied,
    Fact.REFUND_APPROVED: _approved(),
    Fact.REFUND_RETRIED: _approved(),
    Fact.SURPLUS_APPROVED: _approved(surplus=True),
    Fact.SURPLUS_RETRIED: _approved(surplus=True),
    Fact.REFUND_PART_APPROVED: _approved(),
    Fact.REFUND_SETTLED: _settled(),
    Fact.REFUND_PART_SETTLED: _settled(),
    Fact.SURPLUS_SETTLED: _settled(surplus=True),
    Fact.REFUND_FAILED: _failed(),
    Fact.SURPLUS_FAILED: _failed(surplus=True),
}
#: Facts that are never published to shops.
SILENT = frozenset(Fact) - _CHANGES.keys()
