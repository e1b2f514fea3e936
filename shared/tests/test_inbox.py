"""An event is (source, id): nobody's id stands in for somebody else's, and none decides where a row of ours goes."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from shared.contracts import OrderPaid
from shared.ids import uuid7, uuid7_floor
from shared.kernel.service import Service
from shared.messaging import inbox
from shared.messaging.cloudevents import UnreadableError, read_envelope
from shared.testing.documents import Row
from shared.testing.facts import paid
from shared.testing.stage import Stage
from shared.testing.toy import service as toy
from shared.testing.toy.settings import Settings

OURS, OTHERS = "/services/payments", "/services/refunds"
FAR = [
    uuid7_floor(datetime(1970, 1, 2, tzinfo=UTC)),
    UUID("00000000-0000-0000-0000-000000000001"),
    UUID("ffffffff-ffff-7fff-bfff-ffffffffffff"),
    uuid7_floor(datetime(9999, 1, 1, tzinfo=UTC)),
    uuid7_floor(datetime.now(UTC) + timedelta(days=40)),
    uuid7_floor(datetime.now(UTC) - timedelta(days=40)),
    uuid4(),
]


@dataclass(frozen=True)
class Identity:
    id: UUID
    source: str = OURS
    outside: bool = False


async def fresh(service: Service, *items: Identity) -> list[Identity]:
    async with service.database.transaction() as tx:
        return await inbox.unseen(tx, items)


async def query(service: Service, sql: str, **parameters: object) -> list[Row]:
    async with service.database.transaction() as tx:
        return (await tx.execute(sql, **parameters)).all()


async def test_the_same_id_of_two_sources_is_two_events(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings)
    near, shops = uuid7(), uuid7()
    both = [Identity(near), Identity(near, OTHERS)]
    assert await fresh(service, *both) == both
    assert await fresh(service, *both) == []
    assert await fresh(service, Identity(near, "/services/ordering")) == [Identity(near, "/services/ordering")]
    shop = [Identity(shops, f"/storefronts/{name}", outside=True) for name in ("a", "b")]
    assert await fresh(service, *shop) == shop
    assert await fresh(service, *shop) == []
    assert await fresh(service, Identity(shops)) == [Identity(shops)], "a guessed id blocks nobody's"


async def test_far_away_ids_move_no_row_and_stop_no_partition(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings)
    items = [Identity(one) for one in FAR]
    assert await fresh(service, *items) == items
    assert await fresh(service, *items) == []
    assert await query(service, "SELECT 1 FROM inbox_other") == []
    assert len(await query(service, "SELECT 1 FROM inbox_by_arrival")) == len(FAR)


async def test_what_an_earlier_release_put_into_the_default_partition_is_moved(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings)
    later = datetime.now(UTC) + timedelta(days=20)
    stray = uuid7_floor(later)
    await query(service, "INSERT INTO inbox (event_id) VALUES (:id) RETURNING 1", id=stray)
    assert len(await query(service, "SELECT 1 FROM inbox_other")) == 1
    await query(service, "SELECT inbox_maintain(CAST(:day AS date), 7, 14)", day=later.date())
    assert await query(service, "SELECT 1 FROM inbox_other") == []
    [row] = await query(service, "SELECT tableoid::regclass::text AS part FROM inbox WHERE event_id = :id", id=stray)
    assert row.part == f"inbox_{later:%Y%m%d}"


async def test_releases_side_by_side_know_what_the_other_applied(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings)
    old, new = uuid7(), uuid7()
    before = "INSERT INTO inbox (event_id) SELECT :id ON CONFLICT DO NOTHING RETURNING event_id"
    assert len(await query(service, before, id=old)) == 1
    assert await fresh(service, Identity(old)) == [], "whatever its source: the earlier release knew none"
    assert await fresh(service, Identity(new)) == [Identity(new)]
    assert await query(service, before, id=new) == []


async def test_a_clock_that_jumps_forty_days_does_not_empty_the_inbox(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings)
    events = [paid() for _ in range(10)]
    sent = await stage.publish(*events)

    async def handled() -> bool:
        return len(await query(service, "SELECT 1 FROM seen")) == 10

    await stage.eventually(handled)
    for days in (40, 400, 0):
        day = (datetime.now(UTC) + timedelta(days=days)).date()
        await query(service, "SELECT inbox_maintain(CAST(:day AS date), 7, 14)", day=day)
    await stage.republish(*sent)
    await stage.publish(paid())

    async def again() -> bool:
        return len(await query(service, "SELECT 1 FROM seen")) == 11

    await stage.eventually(again)
    assert await query(service, "SELECT 1 FROM seen WHERE handled > 1") == []


@pytest.mark.parametrize("source", ["/services/ordering", "/services/payments/", "payments", "/storefronts/a"])
def test_the_source_is_the_topics_owner(source: str) -> None:
    texts = {"ce_specversion": "1.0", "ce_id": str(uuid7()), "ce_type": OrderPaid.ce_type(), "ce_source": source}
    with pytest.raises(UnreadableError, match="wrong_source"):
        read_envelope(texts, OrderPaid.topic, datetime.now(UTC))
    assert read_envelope({**texts, "ce_source": OURS}, OrderPaid.topic, datetime.now(UTC)).source == OURS
    del texts["ce_source"]
    assert read_envelope(texts, OrderPaid.topic, datetime.now(UTC)).source == OURS


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "never", ""])
def test_a_far_away_time_is_not_kept(time: str) -> None:
    now = datetime.now(UTC)
    texts = {"ce_specversion": "1.0", "ce_id": "1", "ce_type": OrderPaid.ce_type(), "ce_source": OURS, "ce_time": time}
    assert read_envelope(texts, OrderPaid.topic, now).time == now
