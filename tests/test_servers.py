"""Kafka and Postgres die, freeze and come back under the whole product: orders are late, and each ends once.

One test, so that one worker only has to start servers of its own; a run plays the scenes of its slice.
"""

import asyncio
from pathlib import Path

import psycopg
import pytest

from local_stack.infra import Infra
from product.harness import Running
from product.judge import until
from product.shop import Order
from shared.testing import slices

ORDERS = 12
LEAST_CUTS = 50
#: Those at a COMMIT, and some of the others.
CUT = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
  AND (state = 'active' AND query ILIKE 'commit%' OR random() < 0.05)
"""


async def while_orders_flow(running: Running) -> "asyncio.Task[list[Order]]":
    """Orders keep coming; returns when some of them are paid."""
    task = asyncio.create_task(running.shop.buy_many(ORDERS, together=3))
    known = {one["id"] for one in await running.sandbox.ledger_bank()}

    async def too_few() -> str:
        paid = [one for one in await running.sandbox.ledger_bank() if one["captured"] and one["id"] not in known]
        return "" if len(paid) >= ORDERS // 4 else f"{len(paid)} paid"

    await until(too_few)
    return task


async def the_broker_is_killed_and_comes_back(private: Running, infra: Infra) -> None:
    orders = await while_orders_flow(private)
    infra.kafka.kill()
    late = [await private.shop.place() for _ in range(2)]  # shops can order while Kafka is away
    await infra.kafka.start()
    for order in late:
        await private.shop.pay(order)
    await private.judge.delivered([*await orders, *late])


async def the_broker_freezes_and_goes_on(private: Running, infra: Infra) -> None:
    orders = await while_orders_flow(private)
    infra.kafka.pause()
    try:
        late = [await private.shop.place() for _ in range(10)]
    finally:
        infra.kafka.resume()
    for order in late:
        await private.shop.pay(order)
    await private.judge.delivered([*await orders, *late])


async def postgres_is_killed_and_comes_back(private: Running, infra: Infra) -> None:
    orders = await while_orders_flow(private)
    infra.postgres.kill()
    await infra.postgres.start()
    await private.judge.delivered(await orders)


async def postgres_and_the_broker_are_killed_together(private: Running, infra: Infra) -> None:
    orders = await while_orders_flow(private)
    infra.kill()
    await infra.start()
    await private.judge.delivered(await orders)


async def connections_are_cut_again_and_again(private: Running, infra: Infra) -> None:
    """Also in the middle of COMMIT: then nobody knows whether it happened, and all is done again."""
    orders = await while_orders_flow(private)
    cut = 0
    async with await psycopg.AsyncConnection.connect(infra.postgres.admin_url, autocommit=True) as connection:
        while not orders.done() or cut < LEAST_CUTS:
            found = await connection.execute(CUT)
            cut += len(await found.fetchall())
            await asyncio.sleep(0.02)
    await private.judge.delivered(await orders)


SCENES = (
    the_broker_is_killed_and_comes_back,
    the_broker_freezes_and_goes_on,
    postgres_is_killed_and_comes_back,
    postgres_and_the_broker_are_killed_together,
    connections_are_cut_again_and_again,
)


@pytest.mark.long
async def test_every_order_ends_once_when(private: Running, infra: Infra, subtests: pytest.Subtests) -> None:
    for scene in slices.some_of(SCENES, slices.of_this_run(Path(__file__).parent)):
        with subtests.test(scene.__name__):
            await private.judge.begin()
            await scene(private, infra)
