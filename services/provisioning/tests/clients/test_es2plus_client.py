"""The ES2+ client against the sandbox's operator, in each state of a profile."""

from collections.abc import AsyncIterator

import pytest
from prometheus_client import CollectorRegistry

from provisioning.clients.context import ClientContext
from provisioning.clients.es2plus.client import Es2PlusOperator
from provisioning.clients.http_calls import calls_counter
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
    UsageReport,
)
from provisioning.clients.unparsed_fields import UnparsedFields
from provisioning.operators.rules.identifiers import iccid, matching_id
from provisioning.settings import OperatorSettings
from sandbox.testing import RunningSandbox, running_sandbox
from shared.clock import SystemClock
from shared.database import Database
from shared.telemetry.tracing import Tracing
from shared.testing.outcomes import value_of

ORDER = ProfileOrder("10000001", "TR-STD", iccid("8999702", 1), matching_id(b"key", "1"))
PROFILE = ProfileRef("10000001", "TR-STD", ORDER.iccid, ORDER.matching_id, delivered=True)


def _operator(url: str, **changes: object) -> Es2PlusOperator:
    settings = OperatorSettings(
        **{"name": "primary", "url": url, "usage_url": f"{url}/usage", "timeout_seconds": 20.0, "concurrency": 2}
        | changes
    )
    tracing = Tracing("test", exporters=(), ratio=0.0)
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")  # never connected to
    registry = CollectorRegistry()
    tools = ClientContext(tracing, calls_counter(registry), SystemClock(), database, UnparsedFields(registry))
    return Es2PlusOperator(settings, tools)


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox() as running:
        yield running


@pytest.fixture
async def operator(sandbox: RunningSandbox) -> AsyncIterator[Es2PlusOperator]:
    one = _operator(sandbox.operator_url, smdp_address="smdp.sandbox.example")
    yield one
    await one.close()


async def _state(sandbox: RunningSandbox) -> str:
    [profile] = await sandbox.ledger_operator()
    return str(profile["state"])


async def test_repeating_an_order_is_the_same_profile(operator: Es2PlusOperator, sandbox: RunningSandbox) -> None:
    first = value_of(await operator.order(ORDER, trace=None))
    assert (
        first
        == value_of(await operator.order(ORDER, trace=None))
        == OperatorProfile("smdp.sandbox.example", str(ORDER.matching_id))
    )
    assert await _state(sandbox) == "released"


async def test_a_profile_that_was_confirmed_only_is_released(
    operator: Es2PlusOperator, sandbox: RunningSandbox
) -> None:
    bound = {"iccid": ORDER.iccid, "profileType": "TR-STD", "matchingId": ORDER.matching_id, "releaseFlag": False}
    header = {"functionRequesterIdentifier": "2.999", "functionCallIdentifier": "1"}
    for function in ("downloadOrder", "confirmOrder"):
        answer = await sandbox.client.post(
            f"{sandbox.operator_url}/gsma/rsp2/es2plus/{function}",
            json={"header": header, **bound},
            headers={"X-Admin-Protocol": "gsma/rsp/v2.5.0"},
        )
        assert answer.json()["header"]["functionExecutionStatus"]["status"] == "Executed-Success"
    assert await _state(sandbox) == "confirmed"
    await sandbox.faults({"target": "operator.release_profile", "effect": "lose_reply", "times": 1})
    assert isinstance(value_of(await operator.order(ORDER, trace=None)), OperatorUnknown)
    assert isinstance(value_of(await operator.order(ORDER, trace=None)), OperatorProfile)
    assert await _state(sandbox) == "released"


async def test_a_delivered_profile_is_cancelled_once_and_for_all(
    operator: Es2PlusOperator, sandbox: RunningSandbox
) -> None:
    await operator.order(ORDER, trace=None)
    await sandbox.faults({"target": "operator.cancel_order", "effect": "lose_reply", "times": 1})
    assert isinstance(value_of(await operator.cancel(PROFILE, trace=None)), OperatorUnknown)
    assert isinstance(value_of(await operator.cancel(PROFILE, trace=None)), Cancellation)
    assert await _state(sandbox) == "cancelled"


@pytest.mark.parametrize("points", [(3,), (3, 4), (3, 4, 5)])
async def test_what_a_phone_has_or_had_is_not_taken_back(
    operator: Es2PlusOperator, sandbox: RunningSandbox, points: tuple[int, ...]
) -> None:
    await operator.order(ORDER, trace=None)
    await sandbox.phone(str(ORDER.iccid), *points)
    answer = value_of(await operator.cancel(PROFILE, trace=None))
    assert isinstance(answer, OperatorRefused)
    assert answer.in_use
    assert [(s.subject_code, s.reason_code) for s in answer.statuses] == [("8.2.1", "3.3")]


async def test_a_taken_profile_is_undecided_while_the_feed_is_unreachable(
    operator: Es2PlusOperator, sandbox: RunningSandbox
) -> None:
    """An operator that cannot be reached is unknown, not "cancelled"."""
    await operator.order(ORDER, trace=None)
    await sandbox.phone(str(ORDER.iccid), 3)
    await sandbox.faults({"target": "operator.usage", "effect": "http_error", "status": 503})
    assert isinstance(value_of(await operator.cancel(PROFILE, trace=None)), OperatorNotSent)


async def test_without_a_feed_taken_means_taken_unless_we_may_have_cancelled_it(sandbox: RunningSandbox) -> None:
    operator = _operator(sandbox.operator_url, usage_url=None)
    await operator.order(ORDER, trace=None)
    await sandbox.phone(str(ORDER.iccid), 3)
    sure = value_of(await operator.cancel(PROFILE, trace=None))
    unsure = value_of(
        await operator.cancel(
            ProfileRef("1", "TR-STD", ORDER.iccid, ORDER.matching_id, delivered=True, uncertain=True), trace=None
        )
    )
    assert isinstance(sure, OperatorRefused)
    assert isinstance(unsure, OperatorRefused)
    assert (sure.in_use, unsure.in_use) == (True, False)
    assert isinstance(value_of(await operator.status(PROFILE, trace=None)), NotReported)
    assert isinstance(value_of(await operator.usage(PROFILE, trace=None)), NotReported)
    assert isinstance(value_of(await operator.top_up(_top_up(), trace=None)), OperatorRefused)
    assert not operator.traits.tops_up
    await operator.close()


async def test_another_orders_profile_is_never_cancelled(operator: Es2PlusOperator, sandbox: RunningSandbox) -> None:
    await operator.order(ORDER, trace=None)
    stranger = ProfileRef("10000002", "TR-STD", ORDER.iccid, matching_id(b"key", "2"))
    assert isinstance(value_of(await operator.cancel(stranger, trace=None)), Cancellation)
    assert await _state(sandbox) == "released"


async def test_cancelling_a_profile_that_was_never_made_reports_it(operator: Es2PlusOperator) -> None:
    answer = value_of(await operator.cancel(ProfileRef("1", "TR-STD", ORDER.iccid, ORDER.matching_id), trace=None))
    assert isinstance(answer, Cancellation)
    assert answer.never_made
    assert isinstance(value_of(await operator.status(PROFILE, trace=None)), NotReported)


async def test_status_and_usage_are_two_facts_of_one_answer(operator: Es2PlusOperator, sandbox: RunningSandbox) -> None:
    await operator.order(ORDER, trace=None)
    await sandbox.phone(str(ORDER.iccid), 3, 4)
    await sandbox.use_data(str(ORDER.iccid), 5_000_000)
    status = value_of(await operator.status(PROFILE, trace=None))
    assert isinstance(status, ProfileStatus)
    assert status.install.state in ("installed", "enabled")
    assert status.usage is not None
    usage = value_of(await operator.usage(PROFILE, trace=None))
    assert isinstance(usage, UsageReport)
    assert usage.usage.used_bytes == status.usage.usage.used_bytes == 5_000_000
    assert usage.first_used_at is not None
    await sandbox.faults({"target": "operator.usage", "effect": "partial_body"})
    assert isinstance(value_of(await operator.usage(PROFILE, trace=None)), OperatorNotSent)


def _top_up(number: str = "10000009", iccid: str | None = None) -> TopUpOrder:
    return TopUpOrder(number, iccid or str(ORDER.iccid), "TR-STD", 1024, 7)


async def test_a_top_up_is_added_once_however_often_it_is_repeated(
    operator: Es2PlusOperator, sandbox: RunningSandbox
) -> None:
    await operator.order(ORDER, trace=None)
    [before] = await sandbox.ledger_operator()
    await sandbox.faults({"target": "operator.top_up", "effect": "lose_reply", "times": 1})
    assert isinstance(value_of(await operator.top_up(_top_up(), trace=None)), OperatorUnknown)
    done = value_of(await operator.top_up(_top_up(), trace=None))
    assert isinstance(done, AppliedTopUp)
    assert value_of(await operator.top_up(_top_up(), trace=None)) == done
    [after] = await sandbox.ledger_operator()
    assert after["totalBytes"] - before["totalBytes"] == 1024 * 1024 * 1024
    assert isinstance(value_of(await operator.top_up(_top_up("10000010"), trace=None)), AppliedTopUp)
    refused = value_of(await operator.top_up(_top_up("10000011", iccid("8999702", 99)), trace=None))
    assert isinstance(refused, OperatorRefused)
    await sandbox.faults({"target": "operator.top_up", "effect": "http_error", "status": 429})
    assert isinstance(value_of(await operator.top_up(_top_up("10000012"), trace=None)), OperatorNotSent)
