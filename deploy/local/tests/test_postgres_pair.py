"""A primary is lost, its standby takes over, and the lost server comes back as the standby of the new primary."""

from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from local_stack.postgres_files import postgres_server
from local_stack.postgres_pair import PostgresPair

pytestmark = pytest.mark.infra


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[PostgresPair]:
    if not (postgres_server().programs / "pg_basebackup").exists():
        pytest.skip("this package of Postgres has no pg_basebackup, which makes a standby")
    made = PostgresPair(tmp_path / "postgres", log=tmp_path / "logs" / "postgres.log")
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


def rows(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [int(row[0]) for row in connection.execute("select x from t order by x").fetchall()]


def write(url: str, number: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("insert into t values (%s)", [number])


async def test_what_was_acknowledged_is_kept_over_two_losses(pair: PostgresPair) -> None:
    url = (await pair.create_databases(["ordering"])).owners["ordering"].replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        connection.execute("create table t (x int)")
    first = pair.primary.port
    write(url, 1)
    await pair.fail_over()
    assert pair.port != first
    write(url, 2)
    await pair.rejoin()
    assert pair.standby is not None
    assert pair.standby.port == first
    write(url, 3)
    with psycopg.connect(pair.standby.admin_url) as standby:
        assert standby.execute("select pg_is_in_recovery()").fetchone() == (True,)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            standby.execute("create table u (x int)")
    await pair.fail_over()
    assert pair.port == first
    write(url, 4)
    assert rows(url) == [1, 2, 3, 4]


async def test_a_standby_that_was_killed_follows_again(pair: PostgresPair) -> None:
    url = (await pair.create_databases(["ordering"])).owners["ordering"].replace("+psycopg", "")
    assert pair.standby is not None
    pair.standby.kill()
    await pair.start()
    with psycopg.connect(url) as connection:
        connection.execute("create table t (x int)")
    await pair.fail_over()
    assert rows(url) == []
