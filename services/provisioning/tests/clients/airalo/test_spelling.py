"""Answers of the reseller in other spellings than documented: the eSIM is delivered all the same."""

from typing import TYPE_CHECKING

import pytest

from provisioning.clients.models import (
    AppliedTopUp,
    Cancellation,
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


NUMBER, PACKAGE = "10000001", "tr-30days-5gb"


def wanted(*, uncertain: bool = False) -> ProfileOrder:
    return ProfileOrder(NUMBER, PACKAGE, None, None, uncertain)


@pytest.mark.parametrize(
    ("spelling", "apn", "asks", "code"),
    [
        ({"filler": True}, "singleall", False, None),
        ({"apn": "by_system"}, "singleall", False, None),
        ({"apn": "automatic"}, "", False, None),
        ({"confirmation": "flag"}, "singleall", True, None),
        ({"confirmation": "code"}, "singleall", True, "4711"),
        ({"status_word": "in_review"}, "singleall", False, None),
        ({"sim_fields": {"apn_value": 5, "is_roaming": "?", "confirmation_code": []}}, "5", False, None),
    ],
)
async def test_an_esim_is_made_and_looked_up_again(
    adapter: "StartClient", sandbox: RunningSandbox, spelling: JsonObject, apn: str, asks: bool, code: str | None
) -> None:
    await sandbox.airalo(**spelling)
    made = value_of(await adapter().order(wanted(), trace=None))
    [sim] = (await sandbox.ledger_airalo())["sims"]
    assert isinstance(made, OperatorProfile)
    assert (made.iccid, made.matching_id) == (sim["iccid"], sim["matchingId"])
    assert (made.apn, made.asks_confirmation_code, made.confirmation_code) == (apn, asks, code)
    assert value_of(await adapter().order(wanted(uncertain=True), trace=None)) == made
    assert len((await sandbox.ledger_airalo())["orders"]) == 1


async def test_an_order_that_failed_ends_and_so_does_a_top_up(adapter: "StartClient", sandbox: RunningSandbox) -> None:
    operator = adapter()
    made = value_of(await operator.order(wanted(), trace=None))
    assert isinstance(made, OperatorProfile)
    await sandbox.airalo(fails=True)
    for again in (False, True):
        failed = value_of(await operator.order(ProfileOrder("10000002", PACKAGE, None, None, again), trace=None))
        assert isinstance(failed, OperatorRefused)
        top_up = TopUpOrder("10000003", str(made.iccid), PACKAGE, 1024, 7, uncertain=again)
        assert isinstance(value_of(await operator.top_up(top_up, trace=None)), OperatorRefused)
    await sandbox.airalo(fails=False)
    assert (
        value_of(await operator.top_up(TopUpOrder("10000004", str(made.iccid), PACKAGE, 1024, 7), trace=None))
        == AppliedTopUp()
    )


async def test_a_top_up_with_an_unknown_status_is_unknown(adapter: "StartClient", sandbox: RunningSandbox) -> None:
    operator = adapter()
    made = value_of(await operator.order(wanted(), trace=None))
    assert isinstance(made, OperatorProfile)
    await sandbox.airalo(order_fields={"status": {"slug": "in_review"}})
    top_up = TopUpOrder("10000003", str(made.iccid), PACKAGE, 1024, 7)
    assert isinstance(value_of(await operator.top_up(top_up, trace=None)), OperatorUnknown)


async def test_an_order_that_cannot_be_read_is_not_taken_for_none(
    adapter: "StartClient", sandbox: RunningSandbox
) -> None:
    """It may be ours: a second one would be a second eSIM (I4)."""
    operator = adapter(settle_seconds=0.01)
    await sandbox.faults({"target": "airalo.orders", "effect": "lose_reply", "times": 1})
    assert isinstance(value_of(await operator.order(wanted(), trace=None)), OperatorUnknown)
    await sandbox.airalo(order_fields={"description": {}})
    assert isinstance(
        value_of(await operator.order(wanted(uncertain=True), trace=None)), OperatorUnknown | OperatorNotSent | NotDue
    )
    await sandbox.airalo(order_fields={})
    assert isinstance(value_of(await operator.order(wanted(uncertain=True), trace=None)), OperatorProfile)
    assert len((await sandbox.ledger_airalo())["sims"]) == 1


@pytest.mark.parametrize(
    ("spelling", "status", "state", "used"),
    [
        ({"empty": True}, "NOT_ACTIVE", "unknown", None),
        ({}, "NOT_ACTIVE", "unknown", 0),
        ({"usage_fields": {"status": "PAUSED"}}, "NOT_ACTIVE", "unknown", 0),
        ({"usage_fields": {"is_unlimited": True}}, "ACTIVE", "enabled", None),
        ({"usage_fields": {"remaining": None}}, "ACTIVE", "enabled", None),
        ({"usage_fields": {"total": 2**70}}, "ACTIVE", "enabled", None),
    ],
)
async def test_what_the_reseller_does_not_say_is_unknown(
    adapter: "StartClient", sandbox: RunningSandbox, spelling: JsonObject, status: str, state: str, used: int | None
) -> None:
    operator = adapter()
    made = value_of(await operator.order(wanted(), trace=None))
    await sandbox.airalo_sim(str(made.iccid), status=status)
    await sandbox.airalo(**spelling)
    found = value_of(await operator.status(ProfileRef(NUMBER, PACKAGE, made.iccid, None, delivered=True), trace=None))
    assert isinstance(found, ProfileStatus)
    assert found.usage is not None
    assert (found.install.state, found.usage.usage.used_bytes) == (state, used)


async def test_a_refund_is_requested_for_a_profile_without_usage(
    adapter: "StartClient", sandbox: RunningSandbox
) -> None:
    """The reseller decides; an eSIM with bytes used is not asked back, whatever its status is called."""
    operator = adapter()
    made = value_of(await operator.order(wanted(), trace=None))
    ref = ProfileRef(NUMBER, PACKAGE, made.iccid, None, delivered=True)
    await sandbox.airalo(usage_fields={"status": "PAUSED", "remaining": 1})
    refused = value_of(await operator.cancel(ref, trace=None))
    assert isinstance(refused, OperatorRefused)
    assert refused.in_use
    await sandbox.airalo(empty=True, usage_fields={})
    assert isinstance(value_of(await operator.cancel(ref, trace=None)), Cancellation)
