"""What a crash left in the outbox is published, and what was published is forgotten."""

import asyncio
import os
from datetime import UTC, datetime, timedelta

import pytest

from shared.contracts import QrDelivered
from shared.core_tables import outbox
from shared.database import Outgoing
from shared.ids import uuid7
from shared.kernel.service import Service
from shared.messaging.cloudevents import header_texts
from shared.testing.stage import Stage
from shared.testing.toy import service as toy
from shared.testing.toy.settings import Settings

LOCKS = """
SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database
WHERE locktype = 'advisory' AND granted AND datname = current_database()
"""


def delivered() -> QrDelivered:
    now = datetime.now(UTC)
    return QrDelivered(
        order_id=uuid7(),
        order_number="10000001",
        storefront="esimka",
        buyer_id=uuid7(),
        channel="email",
        paid_at=now,
        delivered_at=now,
    )


async def leave_behind(service: Service, event: QrDelivered, *, age: timedelta) -> None:
    """A committed row whose process died before it published."""
    outgoing = Outgoing(event, None)
    born = datetime.now(UTC) - age
    async with service.database.engine.begin() as connection:
        await connection.execute(
            outbox.insert().values(
                id=outgoing.id,
                topic=event.topic,
                key=event.key(),
                value=event.model_dump_json().encode(),
                headers=header_texts(outgoing, born),
                born_at=born,
            )
        )


async def left(service: Service) -> int:
    async with service.database.reading() as tx:
        return int((await tx.execute("SELECT count(*) FROM outbox")).scalar() or 0)


async def test_the_relay_publishes_what_a_crash_left_behind(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings)
    await stage.ensure_topics([QrDelivered.topic])
    events = [delivered() for _ in range(20)]
    for event in events:
        await leave_behind(service, event, age=timedelta(minutes=1))
    found = await stage.events(QrDelivered, count=20)
    assert {one.event.order_id for one in found} == {event.order_id for event in events}

    async def empty() -> bool:
        return await left(service) == 0

    await stage.eventually(empty)


async def test_old_leftovers_are_found_too(stage: Stage) -> None:
    """The relay's lower bound must not hide a row that was committed late: it starts from the beginning again."""
    service = await stage.service(toy.build, Settings)
    await stage.ensure_topics([QrDelivered.topic])
    await leave_behind(service, delivered(), age=timedelta(days=2))
    await stage.events(QrDelivered)


async def test_a_row_from_a_clock_that_was_days_ahead_is_published_now(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings)
    event = delivered()
    await leave_behind(service, event, age=-timedelta(days=40))
    await stage.events(QrDelivered, where=lambda one: one.order_id == event.order_id)


async def test_a_row_that_no_broker_takes_holds_up_no_other(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings)
    huge = delivered().model_copy(update={"order_number": os.urandom(1_500_000).hex()})
    others = [delivered() for _ in range(5)]
    await leave_behind(service, others[0], age=timedelta(hours=1))
    await leave_behind(service, huge, age=timedelta(hours=1))
    for event in others[1:]:
        await leave_behind(service, event, age=timedelta(hours=1))
    await stage.events(QrDelivered, count=5)

    async def one_left() -> bool:
        return await left(service) == 1

    await stage.eventually(one_left)


async def test_only_one_relay_is_active(stage: Stage) -> None:
    first = await stage.service(toy.build, Settings)
    await stage.service(toy.build, Settings, database_url=first.settings.database_url)

    async def locked() -> bool:
        async with first.database.reading() as tx:
            held = await tx.execute(LOCKS)
            return bool(held.scalar() == 1)

    await stage.eventually(locked)


@pytest.mark.parametrize("kind", ["transaction", "reading"])
async def test_a_task_that_is_cancelled_in_mid_statement_ends(stage: Stage, kind: str) -> None:
    """A failing rollback must not turn "cancelled" into an error that a loop would outlive."""
    service = await stage.service(toy.build, Settings)
    begun = asyncio.Event()

    async def loop() -> None:
        while True:
            try:
                async with getattr(service.database, kind)() as tx:
                    begun.set()
                    await tx.execute("SELECT pg_sleep(15)")
            except Exception:  # noqa: BLE001, S110 - what a background loop does
                pass

    task = asyncio.create_task(loop())
    await begun.wait()
    await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=10)
    assert done == {task}
    assert task.cancelled()
