"""The stored status of an order is always the one that follows from its facts, whoever records them and when."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordering.tables import orders
from ordering.timeline import StatusKeeper, record
from ordering.timeline.models import Fact, RecordedFact, Status
from ordering.timeline.rules.status import RAISES_TO, RANKING, facts_in_force, status
from ordering.timeline.store import derive, find_due
from shared.database import Database, Tx, is_undone
from shared.ids import uuid7
from shared.kernel import migrations
from shared.testing.databases import database_at, drop_database, new_database
from shared.testing.documents import RowMapping
from shared.testing.facts import PLAN

if TYPE_CHECKING:
    from services.ordering.tests.conftest import Shop

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
FACTS = st.builds(
    RecordedFact,
    st.sampled_from([fact for fact in Fact if fact is not Fact.ORDER_PLACED]),
    st.integers(0, 50).map(lambda minute: NOON + timedelta(minutes=minute)),
    st.sampled_from(["", "c", "c/2", "d", "d/3"]).filter(bool),
)
#: As the release before stored statuses records a fact.
_AS_RELEASED = "INSERT INTO order_facts (order_id, fact, ref, at) VALUES (:id, :fact, '', :at) ON CONFLICT DO NOTHING"

#: A batch of facts, in one statement and in the sequence of the orders, as that release has it.
_BATCH_AS_RELEASED = """
INSERT INTO order_facts (order_id, fact, ref, at)
SELECT id, :fact, '', CAST(:at AS timestamptz) FROM unnest(CAST(:ids AS uuid[])) AS id ON CONFLICT DO NOTHING
"""


@given(st.sets(st.sampled_from(Fact)), st.sampled_from(list(RAISES_TO)))
def test_a_fact_that_raises_the_status_can_be_applied_without_the_others(facts: set[Fact], new: Fact) -> None:
    before, raised = status(facts), RAISES_TO[new]
    assert status(facts | {new}) is max(before, raised, key=RANKING.index)
    assert set(RANKING) == set(Status)


def open_database(url: str, *, stores: bool = True) -> Database:
    database = Database(url, pool_size=4)
    if stores:
        database.participants.append(StatusKeeper())
    return database


@pytest.fixture
def url() -> Iterator[str]:
    made = new_database("ordering")
    yield made
    drop_database(made)


async def place(tx: Tx, order_id: UUID) -> None:
    row: RowMapping = {
        "order_id": order_id,
        "storefront": "esimka",
        "buyer_id": uuid7(),
        "kind": "esim",
        "iccid": None,
        "plan": PLAN.model_dump(mode="json"),
        "price": 990,
        "currency": "USD",
        "offer_version": "1",
        "privacy_version": "1",
        "placed_at": tx.now,
        "trace": None,
    }
    await tx.insert(orders, [row])


async def stored_and_derived(database: Database, order_id: UUID) -> tuple[str | None, str]:
    async with database.reading() as tx:
        stored = (await tx.execute("SELECT status FROM order_statuses WHERE order_id = :id", id=order_id)).scalar()
        facts = await tx.execute("SELECT fact, ref, at FROM order_facts WHERE order_id = :id", id=order_id)
        return stored, status(facts_in_force((Fact(row.fact), row.ref, row.at) for row in facts))


@pytest.mark.infra
def test_the_stored_status_follows_every_transaction(url: str) -> None:
    with asyncio.Runner() as runner:
        database = runner.run(_opened(url))

        async def scene(transactions: list[list[RecordedFact]]) -> None:
            order_id = uuid7()
            async with database.transaction() as tx:
                await place(tx, order_id)
            for facts in transactions:
                async with database.transaction() as tx:
                    for fact in facts:
                        await record(tx, [(order_id, fact)])
                stored, derived = await stored_and_derived(database, order_id)
                assert stored == derived

        @settings(max_examples=60, deadline=None)
        @given(st.lists(st.lists(FACTS, max_size=4), max_size=5))
        def check(transactions: list[list[RecordedFact]]) -> None:
            runner.run(scene(transactions))

        check()
        runner.run(database.close())


async def _opened(url: str) -> Database:
    return open_database(url)


async def _record_until_committed(database: Database, fact: Fact, order_ids: list[UUID], *, as_released: bool) -> None:
    """Record a fact of these orders, again where Postgres undid the transaction for another's sake, as consumers do."""
    while True:
        try:
            async with database.transaction() as tx:
                if as_released:
                    await tx.execute(_BATCH_AS_RELEASED, ids=sorted(order_ids), fact=fact, at=NOON)
                else:
                    await record(tx, [(order_id, RecordedFact(fact, NOON, "c")) for order_id in order_ids])
        except psycopg.Error as error:
            if not is_undone(error):
                raise
        else:
            return


@pytest.mark.infra
def test_the_stored_status_survives_transactions_side_by_side(url: str) -> None:
    """Two instances of this release and one of the release before record all facts of the same orders at once."""

    async def scene() -> None:
        instances = [open_database(url), open_database(url)]
        released = open_database(url, stores=False)
        ids = [uuid7() for _ in range(8)]
        async with released.transaction() as tx:
            for order_id in ids:
                await place(tx, order_id)

        writers = [
            _record_until_committed(
                [*instances, released][at % 3], fact, ids if at % 2 else ids[::-1], as_released=at % 3 == 2
            )
            for at, fact in enumerate(fact for fact in Fact if fact is not Fact.ORDER_PLACED)
        ]
        await asyncio.gather(*writers)
        async with instances[0].transaction() as tx:
            await derive(tx, await find_due(tx, "esimka", 100))
        for order_id in ids:
            stored, derived = await stored_and_derived(instances[0], order_id)
            assert stored == derived
        for database in (*instances, released):
            await database.close()

    asyncio.run(scene())


@pytest.mark.infra
def test_a_fact_that_a_savepoint_took_back_does_not_count(url: str) -> None:
    async def scene() -> None:
        database = open_database(url)
        order_id = uuid7()
        async with database.transaction() as tx:
            await place(tx, order_id)
            await record(tx, [(order_id, RecordedFact(Fact.ORDER_PAID, NOON))])
            with suppress(ZeroDivisionError):
                async with tx.connection.begin_nested():
                    await record(tx, [(order_id, RecordedFact(Fact.QR_DELIVERED, NOON))])
                    raise ZeroDivisionError
        assert await stored_and_derived(database, order_id) == ("paid", "paid")
        await database.close()

    asyncio.run(scene())


@pytest.mark.infra
def test_orders_of_a_release_without_stored_statuses_are_derived(url: str) -> None:
    del url  # the migrated template is made by the fixture; this test migrates a database of its own

    with database_at("ordering", "0010") as released:

        async def scene() -> None:
            database = open_database(released, stores=False)
            paid, untouched, beside = uuid7(), uuid7(), uuid7()
            async with database.transaction() as tx:
                await place(tx, paid)
                await place(tx, untouched)
                await tx.execute(_AS_RELEASED, id=paid, fact=Fact.ORDER_PAID, at=tx.now)
            await asyncio.to_thread(migrations.upgrade, "ordering", released)
            async with database.transaction() as tx:  # the previous release still runs
                await place(tx, beside)
            async with database.transaction() as tx:
                assert set(await find_due(tx, "esimka", 10)) == {paid, untouched}
                assert await derive(tx, [paid, untouched, uuid7()]) == {paid: "paid", untouched: "placed"}
                assert await find_due(tx, None, 10) == []
                await tx.execute(_AS_RELEASED, id=beside, fact=Fact.ORDER_PAID, at=tx.now)
            async with database.transaction() as tx:
                assert await find_due(tx, "esimka", 10) == [beside]
                assert await find_due(tx, "qazaq-esim", 10) == []
            await database.close()

        asyncio.run(scene())


async def test_an_order_that_is_due_is_listed_with_its_status(shop: "Shop") -> None:
    order_id = UUID((await shop.place()).json()["order_id"])
    async with shop.service.database.transaction() as tx:
        await tx.execute(_AS_RELEASED, id=order_id, fact=Fact.ORDER_PAID, at=tx.now)
    [row] = (await shop.get("/orders")).json()["orders"]
    assert row["status"] == "paid"
    async with shop.service.database.transaction() as tx:
        await tx.execute(_AS_RELEASED, id=order_id, fact=Fact.QR_DELIVERED, at=tx.now)
    assert (await shop.get("/orders?status=paid")).json()["orders"] == []
    assert len((await shop.get("/orders?status=delivered")).json()["orders"]) == 1


async def test_while_more_is_due_than_a_request_derives_a_status_is_not_answered_wrongly(
    shop: "Shop", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ordering.timeline.actions.BATCH", 1)
    for key in ("a", "b", "c"):
        await shop.place(key=key)
    async with shop.service.database.transaction() as tx:
        await tx.execute("UPDATE order_statuses SET status = NULL")
    refused = await shop.get("/orders?status=placed")
    assert (refused.status_code, refused.json()["type"]) == (503, "urn:problem:statuses-due")
    assert refused.headers["retry-after"] == "10"
    assert len((await shop.get("/orders")).json()["orders"]) == 3
    assert len((await shop.get("/orders?status=placed")).json()["orders"]) == 3
