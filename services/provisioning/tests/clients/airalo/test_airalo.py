"""The Airalo client against the sandbox's reseller, judged by the reseller's own ledger (docs/wire/airalo.md)."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from provisioning.clients.airalo.client import _UNDER_WAY, AiraloOperator
from provisioning.clients.models import (
    AppliedTopUp,
    Cancellation,
    NotReported,
    OperatorNotSent,
    OperatorProfile,
    OperatorRefused,
    OperatorUnknown,
    ProfileOrder,
    ProfileRef,
    ProfileStatus,
    TopUpOrder,
)
from sandbox.testing import RunningSandbox
from shared.outcomes import NotDue
from shared.testing.documents import JsonObject
from shared.testing.outcomes import value_of

if TYPE_CHECKING:
    from services.provisioning.tests.clients.airalo.conftest import StartClient


PACKAGE = "tr-30days-5gb"
NUMBER = "10000001"


def wanted(number: str = NUMBER, *, uncertain: bool = False) -> ProfileOrder:
    return ProfileOrder(number, PACKAGE, None, None, uncertain)


def ref(iccid: str | None, *, delivered: bool = True) -> ProfileRef:
    return ProfileRef(NUMBER, PACKAGE, iccid, None, delivered)


async def orders(sandbox: RunningSandbox) -> list[JsonObject]:
    found: list[JsonObject] = (await sandbox.ledger_airalo())["orders"]
    return found


async def order(adapter: AiraloOperator) -> OperatorProfile:
    answer = value_of(await adapter.order(wanted(), trace=None))
    assert isinstance(answer, OperatorProfile)
    return answer


async def test_an_order_brings_the_esim_of_the_ledger(adapter: "StartClient", sandbox: RunningSandbox) -> None:
    made = await order(adapter())
    [sim] = (await sandbox.ledger_airalo())["sims"]
    assert (made.iccid, made.matching_id) == (sim["iccid"], sim["matchingId"])
    assert (made.smdp_address, made.apn) == ("lpa.airalo.sandbox.example", "singleall")
    [sold] = await orders(sandbox)
    assert (sold["description"], sold["packageId"], sold["quantity"]) == (NUMBER, PACKAGE, 1)


@pytest.mark.parametrize("effect", ["lose_reply", "partial_body", "delay"])
async def test_an_order_whose_reply_was_lost_is_looked_up_and_used(
    adapter: "StartClient", sandbox: RunningSandbox, effect: str
) -> None:
    await sandbox.faults({"target": "airalo.orders", "effect": effect, "seconds": 8, "times": 1})
    first = adapter()
    assert isinstance(value_of(await first.order(wanted(), trace=None)), OperatorUnknown)
    made = value_of(await adapter().order(wanted(uncertain=True), trace=None))
    assert isinstance(made, OperatorProfile)
    [sold] = await orders(sandbox)
    assert sold["iccids"] == [made.iccid]


async def test_repeating_an_order_that_was_made_makes_no_other(adapter: "StartClient", sandbox: RunningSandbox) -> None:
    """The process died between the answer and its own commit, so the task is not marked as uncertain."""
    made = await order(adapter())
    assert value_of(await adapter().order(wanted(), trace=None)) == made
    assert len(await orders(sandbox)) == 1


async def test_an_order_that_may_be_on_its_way_is_not_sent_again_at_once(
    adapter: "StartClient", sandbox: RunningSandbox
) -> None:
    await sandbox.faults({"target": "airalo.orders", "effect": "drop", "times": 1})
    patient = adapter(wait_seconds=0.5)
    assert isinstance(value_of(await patient.order(wanted(), trace=None)), OperatorUnknown)
    assert value_of(await patient.order(wanted(uncertain=True), trace=None)) == OperatorUnknown(
        _UNDER_WAY, responded=True
    )
    assert await orders(sandbox) == []
    assert isinstance(
        value_of(await adapter(settle_seconds=0.001).order(wanted(uncertain=True), trace=None)), OperatorProfile
    )
    assert len(await orders(sandbox)) == 1


async def test_an_order_on_its_way_is_waited_for_by_one_attempt(
    adapter: "StartClient", sandbox: RunningSandbox
) -> None:
    await sandbox.faults({"target": "airalo.orders", "effect": "latency", "seconds": 6, "times": 1})
    assert isinstance(value_of(await adapter().order(wanted(), trace=None)), OperatorUnknown)
    assert isinstance(value_of(await adapter().order(wanted(uncertain=True), trace=None)), OperatorProfile)
    assert len(await orders(sandbox)) == 1


async def test_another_order_whose_description_holds_our_number_is_not_ours(
    adapter: "StartClient", sandbox: RunningSandbox
) -> None:
    await adapter().order(wanted(f"1{NUMBER}"), trace=None)
    made = value_of(await adapter().order(wanted(uncertain=True), trace=None))
    assert isinstance(made, OperatorProfile)
    assert sorted(one["description"] for one in await orders(sandbox)) == [NUMBER, f"1{NUMBER}"]


async def test_a_list_that_cannot_be_read_proves_nothing(adapter: "StartClient", sandbox: RunningSandbox) -> None:
    await sandbox.faults(
        {"target": "airalo.orders", "effect": "lose_reply", "times": 1},
        {"target": "airalo.order_list", "effect": "http_error", "times": 1},
    )
    one = adapter(settle_seconds=0.001)
    for _ in range(2):
        assert isinstance(
            value_of(await one.order(wanted(uncertain=True), trace=None)), OperatorNotSent | NotDue | OperatorUnknown
        )
    assert isinstance(value_of(await one.order(wanted(uncertain=True), trace=None)), OperatorProfile)
    assert len(await orders(sandbox)) == 1


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (11, OperatorNotSent),
        (13, OperatorNotSent),
        (33, OperatorRefused),
        (34, OperatorRefused),
        (43, OperatorRefused),
        (53, OperatorUnknown),
        (73, OperatorRefused),
    ],
)
async def test_codes(adapter: "StartClient", sandbox: RunningSandbox, code: int, kind: type) -> None:
    await sandbox.faults({"target": "airalo.orders", "effect": "refuse", "code": code, "times": 1})
    answer = value_of(await adapter().order(wanted(), trace=None))
    assert isinstance(answer, kind)
    statuses = getattr(answer, "statuses", ())
    assert [(one.subject_code, one.reason_code) for one in statuses] == [("airalo", str(code))]
    assert getattr(answer, "out_of_stock", False) == (code == 33)


async def test_what_surely_did_nothing_is_simply_repeated(adapter: "StartClient", sandbox: RunningSandbox) -> None:
    await sandbox.airalo(credit=False)
    one = adapter()
    assert isinstance(value_of(await one.order(wanted(), trace=None)), OperatorNotSent)
    await sandbox.airalo(credit=True)
    assert isinstance(value_of(await one.order(wanted(), trace=None)), OperatorProfile)
    assert [call["path"] for call in await sandbox.requests("v2/orders")] == ["/airalo/v2/orders"] * 2


async def test_a_token_is_kept_and_renewed_once(adapter: "StartClient", sandbox: RunningSandbox) -> None:
    one = adapter()
    await asyncio.gather(*(one.order(wanted(str(number)), trace=None) for number in range(5)))
    assert len(await sandbox.requests("/token")) == 1
    await sandbox.airalo(forget_tokens=True)
    assert isinstance(value_of(await one.order(wanted("7"), trace=None)), OperatorProfile)
    assert len(await sandbox.requests("/token")) == 2
    await sandbox.faults({"target": "airalo.orders", "effect": "http_error", "status": 401})
    assert isinstance(value_of(await one.order(wanted("8"), trace=None)), OperatorNotSent)
    assert len(await sandbox.requests("/token")) == 3


async def test_usage_in_bytes_with_what_the_states_say(adapter: "StartClient", sandbox: RunningSandbox) -> None:
    one = adapter(usage_cache_seconds=0)
    iccid = (await order(one)).iccid
    fresh = value_of(await one.status(ref(iccid), trace=None))
    assert isinstance(fresh, ProfileStatus)
    assert fresh.usage is not None
    assert (fresh.install.state, fresh.usage.usage.used_bytes) == ("unknown", 0)
    await sandbox.airalo_sim(str(iccid), used_mb=1024)
    active = value_of(await one.status(ref(iccid), trace=None))
    assert (active.install.state, active.usage.usage.used_bytes) == ("enabled", 1024 * 2**20)
    assert active.usage.usage.total_bytes == 5 * 2**30
    assert active.usage.ends_at is not None
    await sandbox.airalo_sim(str(iccid), used_mb=5120)
    assert value_of(await one.usage(ref(iccid), trace=None)).ended
    await sandbox.airalo_sim(str(iccid), status="UNKNOWN")
    unknown = value_of(await one.status(ref(iccid), trace=None))
    assert (unknown.install.state, unknown.usage.usage.used_bytes) == ("unknown", None)
    assert isinstance(value_of(await one.usage(ref("8999999999999999999"), trace=None)), NotReported)


async def test_what_the_reseller_keeps_showing_is_as_old_as_its_first_showing(adapter: "StartClient") -> None:
    one = adapter()
    iccid = (await order(one)).iccid
    first, second = [value_of(await one.usage(ref(iccid), trace=None)) for _ in range(2)]
    assert first.usage.observed_at == second.usage.observed_at
    fresh = adapter(usage_cache_seconds=0)
    assert value_of(await fresh.usage(ref(iccid), trace=None)).usage.observed_at > first.usage.observed_at


async def test_a_rate_limit_of_the_reseller_is_not_due(adapter: "StartClient") -> None:
    one = adapter()
    iccid = (await order(one)).iccid
    answers = [value_of(await one.usage(ref(iccid), trace=None)) for _ in range(11)]
    assert isinstance(answers[-1], NotDue)
    assert answers[-1].retry_after == timedelta(seconds=60)


async def test_a_top_up_is_bought_once(adapter: "StartClient", sandbox: RunningSandbox) -> None:
    one = adapter()
    iccid = (await order(one)).iccid
    more = TopUpOrder("10000002", str(iccid), f"{PACKAGE}-topup", 5120, 30)
    await sandbox.faults({"target": "airalo.topups", "effect": "lose_reply", "times": 1})
    assert isinstance(value_of(await one.top_up(more, trace=None)), OperatorUnknown)
    assert isinstance(value_of(await one.top_up(more, trace=None)), AppliedTopUp)
    [sim] = (await sandbox.ledger_airalo())["sims"]
    assert sim["total"] == 10240
    await sandbox.airalo_sim(str(iccid), status="RECYCLED")
    other = TopUpOrder("10000003", str(iccid), PACKAGE, 5120, 30)
    assert isinstance(value_of(await one.top_up(other, trace=None)), OperatorRefused)


async def test_a_refund_takes_the_esim_back_when_it_is_granted(adapter: "StartClient", sandbox: RunningSandbox) -> None:
    one = adapter()
    iccid = (await order(one)).iccid
    await sandbox.airalo(refunds="manual")
    for _ in range(3):
        answer = value_of(await one.cancel(ref(iccid), trace=None))
        assert isinstance(answer, NotDue)
        assert answer.retry_after == timedelta(seconds=3600)
    assert len(await sandbox.requests("/refund")) == 1
    await sandbox.airalo(refunds="approve")
    assert isinstance(value_of(await one.cancel(ref(iccid), trace=None)), Cancellation)


async def test_what_was_used_is_not_taken_back(adapter: "StartClient", sandbox: RunningSandbox) -> None:
    one = adapter()
    iccid = (await order(one)).iccid
    await sandbox.airalo_sim(str(iccid), used_mb=1)
    answer = value_of(await one.cancel(ref(iccid), trace=None))
    assert isinstance(answer, OperatorRefused)
    assert answer.in_use
    assert await sandbox.requests("/refund") == []


async def test_withdrawing_what_may_have_been_made(adapter: "StartClient", sandbox: RunningSandbox) -> None:
    one = adapter()
    never = value_of(await one.cancel(ref(None, delivered=False), trace=None))
    assert isinstance(never, Cancellation)
    assert never.never_made
    await sandbox.faults({"target": "airalo.orders", "effect": "drop", "times": 1})
    await one.order(wanted(), trace=None)
    on_its_way = value_of(await one.cancel(ref(None, delivered=False), trace=None))
    assert isinstance(on_its_way, NotDue)
    await adapter(settle_seconds=0.001).order(wanted(uncertain=True), trace=None)
    assert isinstance(value_of(await one.cancel(ref(None, delivered=False), trace=None)), Cancellation)
    assert (await orders(sandbox))[0]["status"] == "refunded"
