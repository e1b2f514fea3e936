"""A release among its neighbours in time: it runs on a later database, and waits for one that is behind."""

import psycopg
import pytest

from shared.kernel import migrations
from shared.testing.stage import Stage
from shared.testing.toy import service as toy
from shared.testing.toy.settings import Settings

TOY = "shared.testing.toy"


def _set_version(url: str, version: str) -> str:
    """What a migration of that version would leave behind; returns what is there when `migrate` has run once more."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = %s", (version,))
        if version > migrations.newest(TOY):
            migrations.upgrade(TOY, url)
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchall()[0][0])


@pytest.mark.parametrize(("version", "problems"), [("0003", set()), ("0004", set()), ("0002", {"database"})])
async def test_an_instance_is_ready_on_its_own_database_and_on_a_later_one(
    stage: Stage, version: str, problems: set[str]
) -> None:
    service = toy.build(await stage.settings(Settings, TOY))
    assert _set_version(service.settings.database_url, version) == version, "migrate leaves a later database alone"
    try:
        assert set(await service.problems()) - {"kafka"} == problems
    finally:
        await service.database.close()
        service.tracing.close()
