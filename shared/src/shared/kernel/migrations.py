"""Alembic, driven from `python -m <service> migrate`; every service carries its own history in its package."""

from importlib.resources import files
from typing import Any

from alembic import command, context
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, pool, text
from sqlalchemy.ext.asyncio import AsyncEngine

_LOCK = "SELECT pg_advisory_lock(hashtext('esim.migrate'))"


def _config(service: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files(service) / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(service: str, database_url: str) -> None:
    """Bring a service's database to its newest version; safe when several instances do it at once."""
    engine = create_engine(database_url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        connection.execute(text(_LOCK))
        config = _config(service)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.execute(text("SELECT inbox_maintain(CURRENT_DATE, 7, 14)"))
        connection.commit()
    engine.dispose()


def run_env() -> None:
    """What each service's `migrations/env.py` calls."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()


def newest(service: str) -> str | None:
    """The version that this code expects."""
    return ScriptDirectory.from_config(_config(service)).get_current_head()


async def current(engine: AsyncEngine) -> str | None:
    """The version that the database has."""

    def read(connection: Any) -> str | None:
        return MigrationContext.configure(connection).get_current_revision()

    async with engine.connect() as connection:
        return await connection.run_sync(read)
