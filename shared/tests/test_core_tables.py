"""The core tables are what its migrations make."""

from sqlalchemy import MetaData

from shared import core_tables
from shared.testing.databases import differences
from shared.testing.stage import Stage
from shared.testing.toy import service as toy
from shared.testing.toy.settings import Settings

#: `inbox` is partitioned, which SQLAlchemy does not read.
DECLARED = {"outbox", "work", "instances", "dead_letters", "operations_log"}


async def test_the_database_is_what_the_tables_say(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings)
    declared = MetaData()
    for name in DECLARED:
        core_tables.metadata.tables[name].to_metadata(declared)
    assert await differences(service.database, declared) == []


async def test_a_release_before_the_operations_tools_goes_on_putting_records_aside(stage: Stage) -> None:
    """Its INSERT names the columns of the first version."""
    service = await stage.service(toy.build, Settings)
    async with service.database.transaction() as tx:
        await tx.execute(
            "INSERT INTO dead_letters (id, topic, partition, record_offset, key, reason, detail, headers, payload,"
            " sealed, received_at) VALUES (gen_random_uuid(), 't', 0, 1, 'k', 'r', 'd', '{}', NULL, 0, now())"
        )
    async with service.database.reading() as tx:
        row = (await tx.execute("SELECT state, redrives, decided_at FROM dead_letters")).one()
    assert (row.state, row.redrives, row.decided_at) == ("waiting", 0, None)
