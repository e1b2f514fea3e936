"""Databases for tests: copies of a template that is migrated once per run, made in advance where possible.

Tests of migrations get an empty one at an earlier version instead.
"""

import secrets
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import cache
from zlib import crc32

import psycopg
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import sql
from sqlalchemy import Connection, MetaData

from shared.database import Database
from shared.kernel import migrations
from shared.testing import beside
from shared.testing.backends import backends

#: By service: a copy for the test after this one.
_spare: dict[str, Future[str]] = {}
_last_service = ""


def new_database(service: str) -> str:
    """An empty, migrated database of that service; returns its SQLAlchemy URL.

    A copy takes as long as many tests do. After two requests in a row for the same service the next copy is made in
    advance.
    """
    global _last_service
    repeated, _last_service = _last_service == service, service
    made = _spare.pop(service, None) or beside.begin(_copy, service)
    if repeated:
        _spare[service] = beside.begin(_copy, service)
    return made.result()


@contextmanager
def database_at(service: str, revision: str) -> Iterator[str]:
    """An empty database of that service at that version, dropped at the end; its SQLAlchemy URL.

    What an earlier release wrote is put in by the test, which then calls `migrations.upgrade`.
    """
    name = f"t_{service}_{secrets.token_hex(6)}"
    _admin("CREATE DATABASE {}", name)
    try:
        migrations.upgrade(service, _url(name), revision)
        yield _url(name)
    finally:
        drop_database(_url(name))


def drop_database(url: str) -> None:
    """Remove the database, also when clients are connected."""
    _admin("DROP DATABASE IF EXISTS {} WITH (FORCE)", url.rpartition("/")[2])


def _copy(service: str) -> str:
    name = f"t_{service.rpartition('.')[2]}_{secrets.token_hex(6)}"
    # Files are copied as they are: cheaper than through the log, by far where they lie in memory.
    _admin("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy", name, _template(service))
    return _url(name)


@cache
def _template(service: str) -> str:
    """The template of a service, migrated by the first process of the run that needs it.

    A released version that is tested in the same run migrates differently: its code, and so its template, is another.
    """
    name = f"tpl_{service.rpartition('.')[2]}_{crc32(migrations.__file__.encode()):x}"
    with psycopg.connect(f"{backends().postgres}/postgres", autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [crc32(name.encode())])
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
            draft = f"{name}_{secrets.token_hex(6)}"
            _admin("CREATE DATABASE {}", draft)
            migrations.upgrade(service, _url(draft))
            _admin("ALTER DATABASE {} RENAME TO {}", draft, name)
    return name


def _url(name: str) -> str:
    return f"{backends().postgres.replace('postgresql://', 'postgresql+psycopg://')}/{name}"


def _admin(statement: str, *names: str) -> None:
    with psycopg.connect(f"{backends().postgres}/postgres", autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


async def differences(database: Database, declared: MetaData) -> list[object]:
    """Where a migrated database differs from the declared tables. Tables that are not declared do not count."""

    def compare(connection: Connection) -> list[object]:
        def own(name: str | None, kind: str, _parents: object) -> bool:
            return kind != "table" or name in declared.tables

        options = {"include_name": own, "compare_type": True, "compare_server_default": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), declared))

    async with database.engine.connect() as connection:
        return await connection.run_sync(compare)
