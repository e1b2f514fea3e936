"""A guarded operator never waits: a call that may not be made now returns NotDue at once."""

import asyncio
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry

from provisioning.clients.instant import InstantOperator
from provisioning.clients.models import (
    CallOutcome,
    OperatorNotSent,
    OperatorProfile,
    OperatorUnknown,
    ProfileOrder,
    ProfileRef,
)
from provisioning.operators.guarded import GuardedOperator, OperatorMetrics
from provisioning.operators.rate_limit import RateLimit
from provisioning.settings import OperatorSettings
from shared.clock import SystemClock
from shared.database import Database
from shared.outcomes import Done, NotDue

ORDER = ProfileOrder("10000001", "TR-STD", "8999702000000000018", "K7Q2")
REF = ProfileRef("10000001", "TR-STD", "8999702000000000018", "K7Q2")


class Scripted(InstantOperator):
    """Returns `answer` to each order once `go` is set."""

    def __init__(self) -> None:
        super().__init__("scripted")
        self.go = asyncio.Event()
        self.go.set()
        self.answer: CallOutcome[OperatorProfile] | Exception = Done(OperatorProfile("smdp.example", "K7Q2"))
        self.calls = 0

    async def order(  # type: ignore[override] # any outcome, as the protocol has it
        self,
        wanted: ProfileOrder,  # noqa: ARG002 - the protocol's own
        *,
        trace: str | None,  # noqa: ARG002 - as above
    ) -> CallOutcome[OperatorProfile]:
        self.calls += 1
        await self.go.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def _guarded(
    operator: Scripted, rate: RateLimit | None = None, **changes: object
) -> tuple[GuardedOperator, CollectorRegistry]:
    registry = CollectorRegistry()
    chosen = {"name": "scripted", "adapter": "instant", "breaker_failures": 2, "breaker_seconds": 60.0} | changes
    settings = OperatorSettings.model_validate(chosen)
    return GuardedOperator(operator, settings, rate, OperatorMetrics(registry), SystemClock()), registry


async def test_when_all_connections_are_in_use_calls_are_not_due_and_stock_gives_way_first() -> None:
    operator = Scripted()
    operator.go.clear()
    guarded, registry = _guarded(operator, concurrency=4)
    under_way = [asyncio.create_task(guarded.order(ORDER, trace=None)) for _ in range(3)]
    await asyncio.sleep(0)
    stock = await guarded.order(ORDER, trace=None, urgent=False)
    assert isinstance(stock, NotDue)
    under_way.append(asyncio.create_task(guarded.order(ORDER, trace=None)))
    await asyncio.sleep(0)
    full = await guarded.order(ORDER, trace=None)
    assert isinstance(full, NotDue)
    assert operator.calls == 4
    assert full.retry_after > timedelta(0)
    assert registry.get_sample_value("operator_calls_in_flight", {"operator": "scripted"}) == 4
    operator.go.set()
    assert all(isinstance(one, Done) for one in await asyncio.gather(*under_way))
    assert guarded.health.in_flight == 0


@pytest.mark.parametrize(
    "answer", [OperatorUnknown("HTTP 503"), OperatorNotSent("ConnectError"), RuntimeError("a fault of ours")]
)
async def test_calls_without_a_result_open_the_breaker_of_orders_and_not_that_of_the_feed(
    answer: CallOutcome[OperatorProfile] | Exception,
) -> None:
    operator = Scripted()
    operator.answer = answer
    guarded, registry = _guarded(operator)
    for _ in range(2):
        if isinstance(answer, Exception):
            with pytest.raises(RuntimeError):
                await guarded.order(ORDER, trace=None)
        else:
            assert await guarded.order(ORDER, trace=None) == answer
    held = await guarded.order(ORDER, trace=None)
    assert isinstance(held, NotDue)
    assert (operator.calls, guarded.open()) == (2, True)
    assert not isinstance(await guarded.status(REF, trace=None), OperatorNotSent | NotDue)
    assert not guarded.open("feed")
    value = registry.get_sample_value
    assert value("operator_breaker", {"operator": "scripted", "port": "orders"}) == 2
    assert value("operator_calls_held_back_total", {"operator": "scripted", "reason": "breaker"}) == 1


async def test_an_unknown_outcome_of_an_operator_that_responded_is_no_failure_for_the_breaker() -> None:
    """One order whose reply was lost, and that is looked up repeatedly, must not hold back all others."""
    operator = Scripted()
    guarded, _ = _guarded(operator)
    for answered in (False, True, True, False):
        operator.answer = OperatorUnknown("the order is not in the list yet", responded=answered)
        await guarded.order(ORDER, trace=None)
    assert not guarded.open()
    await guarded.order(ORDER, trace=None)
    assert guarded.open()


async def test_a_cancelled_call_frees_its_place_and_does_not_count_for_the_breaker() -> None:
    operator = Scripted()
    operator.go.clear()
    guarded, _ = _guarded(operator, breaker_failures=1)
    call = asyncio.create_task(guarded.order(ORDER, trace=None))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    assert (guarded.health.in_flight, guarded.open()) == (0, False)


async def test_without_the_shared_row_of_the_rate_no_call_is_made() -> None:
    operator = Scripted()
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")
    guarded, _ = _guarded(operator, RateLimit(database, "scripted", 60.0))
    held = await guarded.order(ORDER, trace=None)
    assert isinstance(held, NotDue)
    assert operator.calls == 0
    await database.close()
