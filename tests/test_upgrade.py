"""The whole product goes from its last releases to what is here, instance by instance, while orders keep coming.

The databases are as the releases leave them, then migrated under the running releases; then each service in turn has
an instance of now beside one of the release, and later alone.
"""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from product.faults import NO_SUCH_PROFILE
from product.harness import Running, harness
from product.privacy import leaks
from product.rights import admitted, as_service, drop_service
from product.running import NAMES, Product
from release.history import NoHistoryError, export, last_release, python_path
from release.migrations import migrate_as_released
from shared.kernel import migrations
from shared.testing.backends import backends

PRESENT = os.environ.get("PYTHONPATH", "")


@pytest.fixture
def databases() -> Iterator[dict[str, str]]:
    """One for each service, as its last release leaves it; URLs of who may migrate them."""
    try:
        trees = {name: export(last_release(name).commit) for name in NAMES}
    except NoHistoryError as error:
        pytest.skip(str(error))
    made: dict[str, str] = {}
    try:
        for name, tree in trees.items():
            made[name] = _new_database(f"t_past_{name}_{secrets.token_hex(4)}")
            migrate_as_released(name, tree, made[name])
        yield made
    finally:
        for url in made.values():
            drop_service(url)


def _new_database(name: str) -> str:
    servers = backends().postgres
    with psycopg.connect(f"{servers}/postgres", autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return f"{servers.replace('postgresql://', 'postgresql+psycopg://')}/{name}"


@pytest.fixture
async def past(databases: dict[str, str], tmp_path: Path) -> AsyncIterator[Running]:
    """All services as last released, at work."""
    prefix = f"p{secrets.token_hex(4)}."
    users = await asyncio.to_thread(admitted, backends().secured, prefix)
    urls = {name: await asyncio.to_thread(as_service, url) for name, url in databases.items()}
    product = Product(tmp_path, backends().kafka, urls, prefix, users)
    for name, process in product.services.items():
        process.environment["PYTHONPATH"] = python_path(export(last_release(name).commit), name)
    try:
        await product.start()
        async with harness(product) as running:
            yield running
        assert not leaks(product)
    finally:
        await product.stop()


@pytest.mark.long
@pytest.mark.infra
@pytest.mark.timeout(480)
async def test_instance_by_instance_and_nobody_waits(past: Running, databases: dict[str, str]) -> None:
    orders = [await past.shop.buy()]
    for name, url in databases.items():
        await asyncio.to_thread(migrations.upgrade, name, url)
    orders.append(await past.shop.buy())
    for name in NAMES:
        exchange = asyncio.create_task(_roll(past.product, name))
        orders.append(await past.shop.buy())
        await exchange
    held = await past.judge.delivered(orders)
    await past.sandbox.faults(NO_SUCH_PROFILE)
    await past.judge.refunded([await past.shop.buy()], beside=held)


async def _roll(product: Product, name: str) -> None:
    """An instance of now joins; the released one leaves; a second instance of now takes its place."""
    old, first = product.services[name], product.second(name)
    first.environment["PYTHONPATH"] = PRESENT
    first.start()
    try:
        await first.wait_ready(lambda: product.answers(int(first.environment["HTTP_PORT"])), 60)
        await old.stop()
        old.environment["PYTHONPATH"] = PRESENT
        old.start()
        await product.ready(name)
    finally:
        await first.stop()
