from typing import TYPE_CHECKING

from payments.tables import metadata
from shared.testing.databases import differences

if TYPE_CHECKING:
    from services.payments.tests.conftest import Start


async def test_tables_and_migrations_agree(start: "Start") -> None:
    running = await start(epay_adapter="instant")
    assert await differences(running.service.database, metadata) == []
