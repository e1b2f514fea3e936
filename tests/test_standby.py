"""The database server is lost for good, and its synchronous standby takes over: each order ends once."""

from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest

from local_stack.infra import Databases, Infra, Postgres
from local_stack.postgres_files import postgres_server
from local_stack.postgres_standby import Standby
from product.harness import Running
from product.rights import own_servers
from product.whole import on_own_servers
from test_servers import while_orders_flow


class Pair(Infra):
    """Servers of which Postgres has a standby; services know both."""

    standby: Standby

    async def create_databases(self, names: Sequence[str]) -> Databases:
        return self.standby.either(await super().create_databases(names))


@pytest.fixture
def infra(tmp_path: Path) -> Iterator[Pair]:
    if not (postgres_server().programs / "pg_basebackup").exists():
        pytest.skip("this package of Postgres has no pg_basebackup, which makes a standby")
    alone = own_servers(tmp_path / "servers")
    with Pair(alone.directory, kafka=alone.kafka, postgres=alone.postgres) as started:
        yield started


@pytest.fixture
async def private(infra: Pair, tmp_path: Path) -> AsyncIterator[Running]:
    assert isinstance(infra.postgres, Postgres)
    infra.standby = Standby(tmp_path / "standby", infra.postgres)
    await infra.standby.start()
    try:
        async with on_own_servers(infra, tmp_path / "product") as made:
            yield made
    finally:
        await infra.standby.stop()


@pytest.mark.exhaustive
@pytest.mark.long
async def test_a_standby_takes_over_while_orders_flow(private: Running, infra: Pair) -> None:
    await private.judge.begin()
    orders = await while_orders_flow(private)
    infra.postgres.kill()
    await infra.standby.promote()
    later = await private.shop.buy_many(4, together=2)
    await private.judge.delivered([*await orders, *later], copies=10)
