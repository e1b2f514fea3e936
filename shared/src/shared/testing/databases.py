"""A database for a test: copied from a template that was migrated once per run."""

import secrets
from functools import cache

import psycopg
from psycopg import sql

from shared.kernel import migrations
from shared.testing.backends import backends


def new_database(service: str) -> str:
    """An empty, migrated database of that service; returns its SQLAlchemy URL."""
    template = _template(service)
    name = f"t_{service.rpartition('.')[2]}_{secrets.token_hex(6)}"
    _admin("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY", name, template)
    return _url(name)


def drop_database(url: str) -> None:
    """Remove it, whoever is connected."""
    _admin("DROP DATABASE IF EXISTS {} WITH (FORCE)", url.rpartition("/")[2])


@cache
def _template(service: str) -> str:
    name = f"tpl_{service.rpartition('.')[2]}_{secrets.token_hex(6)}"
    _admin("CREATE DATABASE {}", name)
    migrations.upgrade(service, _url(name))
    return name


def _url(name: str) -> str:
    return f"{backends().postgres.replace('postgresql://', 'postgresql+psycopg://')}/{name}"


def _admin(statement: str, *names: str) -> None:
    with psycopg.connect(f"{backends().postgres}/postgres", autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
