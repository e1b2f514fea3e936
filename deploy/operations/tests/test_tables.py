from typing import TYPE_CHECKING

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from operations.tables import metadata

if TYPE_CHECKING:
    from deploy.operations.tests.conftest import Start


async def test_tables_and_migrations_agree(start: "Start") -> None:
    running = await start()

    def differences(connection: Connection) -> list[object]:
        def own(name: str | None, kind: str, _parents: object) -> bool:
            return kind != "table" or name in metadata.tables

        context = MigrationContext.configure(connection, opts={"include_name": own, "compare_server_default": True})
        return list(compare_metadata(context, metadata))

    async with running.service.database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
