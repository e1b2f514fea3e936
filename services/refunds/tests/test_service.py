"""Refunds between a real Kafka and a real Postgres."""

import asyncio
import random
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from refunds.app import event_handlers
from refunds.cases import CaseMetrics, CaseService, Fingerprints, Patience, RefundOutcome, case_of, case_state
from refunds.cases.rules.identity import case_id, refund_id
from refunds.policy import OrderPolicies
from refunds.policy.store import policies_in
from shared.contracts import (
    OrderEvent,
    RefundApproved,
    RefundRequested,
)
from shared.database import Database
from shared.ids import uuid7
from shared.messaging.consumer import Received
from shared.telemetry.tracing import new_traceparent, trace_id
from shared.testing.shops import EXAMPLES

if TYPE_CHECKING:
    from services.refunds.tests.conftest import Life, Start

FINGERPRINTS = Fingerprints(b"test")
CASE_SERVICE = CaseService(
    OrderPolicies(lambda: policies_in(EXAMPLES)),
    CaseMetrics(CollectorRegistry()),
    FINGERPRINTS,
    patience=Patience(observation=timedelta(hours=1), retry=timedelta(minutes=5)),
    keep_notes=timedelta(days=1),
)
HANDLERS = event_handlers(CASE_SERVICE)


async def test_a_failed_generation_is_requested_approved_and_closed(start: "Start") -> None:
    running = await start()
    life = running.life("qazaq-esim")
    trace = new_traceparent(sampled=True)
    await running.stage.publish(life.paid(), life.failed(), trace=trace)
    [requested] = await running.stage.events(RefundRequested)
    [approved] = await running.stage.events(RefundApproved)
    assert (requested.event.origin, requested.event.reason) == ("system", "generation_failed")
    assert requested.event.case_id == approved.event.case_id
    assert approved.event.amount == life.money
    assert (approved.event.policy, approved.event.grounds[0].clause) == ("qazaq-esim@1", "2.1")
    assert trace_id(requested.trace) == trace_id(approved.trace) == trace_id(trace)
    assert await running.state(life) == "paying"
    await running.stage.publish(life.refund_failed())

    async def state(wanted: str) -> bool:
        return bool(await running.state(life) == wanted)

    await running.stage.eventually(lambda: state("needs_person"))
    await running.stage.publish(life.settled())
    await running.stage.eventually(lambda: state("settled"))
    found = (await running.get(f"/cases/{life.order_id}")).json()
    assert found["facts"]["failure_statuses"][0]["reason_code"] == "3.7"
    assert found["facts"]["paid"] == {"amount": 599000, "currency": "KZT"}
    [case] = found["cases"]
    assert case["decision"]["refund_id"] == str(approved.event.refund_id)
    assert case["decision"]["grounds"][3] == approved.event.grounds[3].model_dump()
    assert case["decision"]["explanation"] == approved.event.explanation.model_dump()


@pytest.mark.parametrize("storefront", ["e-sim-onl", "esimka"])
async def test_the_other_sellers_pay_too(start: "Start", storefront: str) -> None:
    running = await start()
    life = running.life(storefront, "USD")
    await running.stage.publish(life.failed(), life.paid())
    [approved] = await running.stage.events(RefundApproved)
    assert approved.event.policy.startswith(f"{storefront}@")


async def test_a_seller_we_have_no_policy_of_needs_a_person(start: "Start") -> None:
    running = await start()
    life = running.life("newcomer")
    await running.stage.publish(life.paid(), life.failed())
    await running.stage.events(RefundRequested)
    assert await running.state(life) == "needs_person"
    assert await running.stage.all_events(RefundApproved) == []


async def test_delivered_orders_open_no_case(start: "Start") -> None:
    running = await start()
    lives = [running.life() for _ in range(100)]
    facts = [fact for life in lives for fact in (life.paid(), life.generated(), life.delivered())]
    random.shuffle(facts)
    await running.stage.publish(*facts)
    complete = "SELECT 1 FROM order_facts WHERE num_nonnulls(paid_at, generated_at, delivered_at) = 3"

    async def all_there() -> bool:
        return len(await running.rows(complete)) == 100

    await running.stage.eventually(all_there)
    found = (await running.get(f"/cases/{lives[0].order_id}")).json()
    assert found["cases"] == []
    assert found["facts"]["delivery_channel"] == "email"
    assert await running.stage.all_events(RefundRequested) == []


async def test_duplicates_and_replays_open_one_case(start: "Start") -> None:
    running = await start()
    life = running.life()
    sent = await running.stage.publish(*life.everything())
    await running.stage.publish(*life.everything())  # the same facts as new events
    await running.stage.republish(*sent, *sent)
    await running.stage.publish(other := running.life().paid())

    async def all_read() -> bool:
        seen = running.service.metrics.duplicates._value.get()
        stored = await running.rows("SELECT 1 FROM order_facts WHERE order_id = :id", id=other.order_id)
        return bool(seen == 14 and stored)

    await running.stage.eventually(all_read)
    await running.stage.events(RefundApproved)
    assert len(await running.stage.all_events(RefundRequested)) == 1
    assert len(await running.stage.all_events(RefundApproved)) == 1


async def test_only_agents_see_cases(start: "Start") -> None:
    running = await start()
    path = f"/cases/{uuid7()}"
    assert (await running.get(path, key=None)).status_code == 401
    refused = await running.get(path, key="wrong")
    assert (refused.status_code, refused.json()["detail"][:14]) == (401, "Send your agen")
    assert (await running.get(path)).json()["type"] == "urn:problem:unknown-order"
    assert (await running.get("/cases/nonsense")).status_code == 422


async def test_every_interleaving_ends_the_same(database_url: str, life: "type[Life]") -> None:
    """Any order, duplication and batching of an order's facts: one case, one decision, one state."""
    database = Database(database_url)
    loop = asyncio.get_running_loop()
    names = ["paid", "failed", "generated", "delivered", "delivery_failed", "settled", "refund_failed"]
    ends: set[tuple[object, ...]] = set()

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(st.permutations(names), st.lists(st.sampled_from(names), max_size=7), st.data())
    def shuffled(order: list[str], again: list[str], data: st.DataObject) -> None:
        names = list(order)
        for name in again:
            names.insert(data.draw(st.integers(0, len(names))), name)
        cut = data.draw(st.integers(0, len(names)))
        future = asyncio.run_coroutine_threadsafe(_end(database, life(), [names[:cut], names[cut:]]), loop)
        end, published = future.result(30)
        assert published == ["RefundApproved", "RefundRequested"]
        ends.add(end)

    try:
        await asyncio.to_thread(shuffled)
    finally:
        await database.close()
    assert len(ends) == 1


async def _end(database: Database, life: "Life", batches: list[list[str]]) -> tuple[tuple[object, ...], list[str]]:
    published: list[str] = []
    for batch in batches:
        async with database.transaction("test") as tx:
            by_class: dict[type[OrderEvent], list[Received[OrderEvent]]] = {}
            for name in batch:
                event = getattr(life, name)()
                by_class.setdefault(type(event), []).append(Received(event, uuid7(), tx.now, None))
            for event_class in sorted(by_class, key=lambda c: c.topic):
                await HANDLERS[event_class](tx, by_class[event_class])
            published += [type(outgoing.event).__name__ for outgoing in tx.outgoing]
    async with database.reading() as tx:
        facts = (await tx.execute("SELECT * FROM order_facts WHERE order_id = :id", id=life.order_id)).one()._asdict()
        [case] = (await tx.execute("SELECT * FROM cases WHERE order_id = :id", id=life.order_id)).all()
        outcome = (await tx.execute("SELECT * FROM refund_outcomes WHERE order_id = :id", id=life.order_id)).one()
    assert case.case_id == case_id(life.order_id, "generation_failed")
    assert case.refund_id == refund_id(life.order_id, "generation_failed")
    state = case_state(case_of(case), RefundOutcome(outcome.settled_at, outcome.failed_at))
    known = frozenset(name for name, value in facts.items() if value is not None)
    return (case.policy, case.amount_minor, str(case.grounds), str(case.explanation), state, known), sorted(published)


async def test_two_processes_at_once_open_one_case(database_url: str, life: "type[Life]") -> None:
    """The two facts that make a case arrive in two transactions that overlap."""
    database = Database(database_url)
    published: list[str] = []

    async def tell(lives: "list[Life]", name: str) -> None:
        async with database.transaction("test") as tx:
            events = [Received(getattr(one, name)(), uuid7(), tx.now, None) for one in lives]
            await HANDLERS[type(events[0].event)](tx, events)
            await asyncio.sleep(0)
            published.extend(type(outgoing.event).__name__ for outgoing in tx.outgoing)

    try:
        lives = [life() for _ in range(50)]
        await asyncio.gather(tell(lives, "paid"), tell(lives[::-1], "failed"))
    finally:
        await database.close()
    assert sorted(published) == ["RefundApproved"] * 50 + ["RefundRequested"] * 50
