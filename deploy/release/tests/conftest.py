"""The last releases' code, where this clone has it."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from release.history import NAMES, NoHistoryError, export, last_release
from shared.testing.backends import backends
from shared.testing.databases import drop_database


@pytest.fixture(scope="session", params=NAMES)
def released(request: pytest.FixtureRequest) -> tuple[str, Path]:
    """A service and the tree of its last release."""
    name: str = request.param
    try:
        return name, export(last_release(name).commit)
    except NoHistoryError as error:
        pytest.skip(str(error))


@pytest.fixture
def database() -> Iterator[str]:
    """An empty database; its SQLAlchemy URL."""
    servers = backends().postgres
    name = f"t_release_{secrets.token_hex(6)}"
    with psycopg.connect(f"{servers}/postgres", autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    url = f"{servers.replace('postgresql://', 'postgresql+psycopg://')}/{name}"
    yield url
    drop_database(url)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "database" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.infra)
