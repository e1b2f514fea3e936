from typing import TYPE_CHECKING

from operations.tables import metadata
from shared.testing.databases import differences

if TYPE_CHECKING:
    from deploy.operations.tests.conftest import Start


async def test_tables_and_migrations_agree(start: "Start") -> None:
    running = await start()
    assert await differences(running.service.database, metadata) == []
