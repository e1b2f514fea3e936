"""Runs Alembic for `python -m <service> migrate`; every service has its migrations in its own package."""

from importlib.resources import files
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, pool, text
from sqlalchemy.ext.asyncio import AsyncEngine

if TYPE_CHECKING:
    from alembic.config import Config

_LOCK = "SELECT pg_advisory_lock(hashtext('esim.migrate'))"


def _config(service: str) -> "Config":
    from alembic.config import Config  # noqa: PLC0415 - Alembic is large; a serving process does not load it

    config = Config()
    config.set_main_option("script_location", str(files(service) / "migrations"))
    config.set_main_option("path_separator", "os")
    return config


def upgrade(service: str, database_url: str, revision: str = "head") -> None:
    """Migrate a service's database to that version, the newest by default; several instances may do it at once.

    A database that a later release has migrated stays as it is: this code runs on it (migrations only add), so going
    back to an earlier release means only to start it.
    """
    from alembic import command  # noqa: PLC0415 - as in _config
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415 - as in _config

    engine = create_engine(database_url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        connection.execute(text(_LOCK))
        if (MigrationContext.configure(connection).get_current_revision() or "") <= newest(service):
            config = _config(service)
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
        connection.execute(text("SELECT inbox_maintain(CURRENT_DATE, 7, 14)"))
        connection.commit()
    engine.dispose()


def run_env() -> None:
    """Run the migrations; called by each service's `migrations/env.py`."""
    from alembic import context  # noqa: PLC0415 - as in _config

    connection = context.config.attributes["connection"]
    context.configure(connection=connection, transactional_ddl=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()


def newest(service: str) -> str:
    """The version that this code expects: revisions are numbered, and files named after them (`0001_first.py`).

    Their numbers have four digits, so that they compare as text.
    """
    names = [entry.name for entry in (files(service) / "migrations" / "versions").iterdir()]
    return max(name.partition("_")[0] for name in names if name.endswith(".py"))


async def current(engine: AsyncEngine) -> str | None:
    """The version of the database; None before the first migration."""
    async with engine.connect() as connection:
        if (await connection.execute(text("SELECT to_regclass('alembic_version')"))).scalar() is None:
            return None
        version = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalar()
        return None if version is None else str(version)
