"""The migrated database equals tables.py, and session records are deleted after their retention."""

from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from ordering import tables
from ordering.app import build
from ordering.settings import Settings
from shared.clock import SystemClock
from shared.testing.databases import differences
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.ordering.tests.conftest import Shop


class Watch:
    """The machine's clock, put forward."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return SystemClock().now() + self.ahead


async def test_the_migrated_database_equals_tables_py(shop: "Shop") -> None:
    assert await differences(shop.service.database, tables.metadata) == []


async def test_session_records_are_deleted_after_their_retention(stage: Stage) -> None:
    watch = Watch()
    service = await stage.service(partial(build, clock=watch), Settings)
    record = """INSERT INTO session_records (order_id, offer_version, privacy_version, consented_at, keep_until)
                SELECT gen_random_uuid(), '1', '1', now(), now() + make_interval(days => days)
                FROM unnest(ARRAY[1, 2, 400]) AS days"""

    async def first_done() -> bool:
        async with service.database.reading() as tx:
            row = await tx.execute("SELECT 1 FROM work WHERE kind = 'clear_sessions' AND due_at > :now", now=tx.now)
            return row.first() is not None

    await stage.eventually(first_done)
    async with service.database.transaction() as tx:
        await tx.execute(record)
    watch.ahead = timedelta(days=3)

    async def left() -> bool:
        async with service.database.reading() as tx:
            return bool((await tx.execute("SELECT count(*) FROM session_records")).scalar() == 1)

    await stage.eventually(left)
    await stage.eventually(first_done)
