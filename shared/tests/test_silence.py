"""A connection that is dead though nobody closed it is given up, and the next transaction has another one."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import psycopg
import pytest

from shared import silence
from shared.database import Database, Tx, is_infrastructure
from shared.testing.proxy import Proxy
from shared.testing.stage import Stage
from shared.testing.toy import service as toy
from shared.testing.toy.settings import Settings


@pytest.fixture
async def proxy(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Proxy, Database]]:
    """A proxy before a database, and that database through it. An answer is waited for a second, not 25."""
    monkeypatch.setattr(silence, "ANSWER_SECONDS", 1.0)
    url = (await stage.settings(Settings, toy.__name__.rpartition(".")[0])).database_url
    port = urlsplit(url).port
    assert port is not None
    made = Proxy(lambda: port)
    await made.start()
    database = Database(url.replace(f":{port}/", f":{made.port}/"), pool_size=2)
    yield made, database
    await database.close()
    await made.stop()


async def statement(proxy: Proxy, tx: Tx) -> None:
    proxy.half_open()
    await tx.execute("SELECT 1")


async def end(proxy: Proxy, tx: Tx) -> None:
    await tx.execute("SELECT 1")
    proxy.half_open()


@pytest.mark.parametrize("fails", [statement, end])
@pytest.mark.parametrize("kind", ["transaction", "reading"])
@pytest.mark.timeout(120)
async def test_nothing_waits_for_ever(proxy: tuple[Proxy, Database], kind: str, fails: object) -> None:
    between, database = proxy
    use = database.transaction if kind == "transaction" else database.reading
    error: BaseException | None = None
    try:
        async with use() as tx:
            await fails(between, tx)  # type: ignore[operator] # one of the two above
    except psycopg.OperationalError as caught:
        error = caught
    except Exception as caught:  # noqa: BLE001 - SQLAlchemy wraps what its own calls meet
        error = caught
    assert error is None or is_infrastructure(error), error
    assert error is not None or (kind, fails) == ("reading", end), "a rollback that is lost loses nothing"
    async with use() as tx:
        assert (await tx.execute("SELECT 2")).scalar() == 2


async def test_what_the_server_refuses_is_no_lost_connection(proxy: tuple[Proxy, Database]) -> None:
    _, database = proxy
    async with database.reading() as tx:
        with pytest.raises(psycopg.errors.UndefinedTable):
            await tx.execute("SELECT 1 FROM no_such_table")
