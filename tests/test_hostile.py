"""A minute of hostile input at every door, while good orders go on (deploy/hostile)."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from hostile.run import prepare, run
from hostile.target import Target
from local_stack.infra import Infra
from product.hands import Running, hands
from product.rights import on_servers, own_servers
from product.running import NAMES

SECONDS = 60.0


@pytest.fixture
def infra(tmp_path: Path) -> Iterator[Infra]:
    """Servers of its own: what hostile input leaves behind is nothing that other tests' judges know."""
    with own_servers(tmp_path / "servers") as started:
        yield started


@pytest.fixture
async def private(infra: Infra, tmp_path: Path) -> AsyncIterator[Running]:
    product = await on_servers(infra, tmp_path / "product")
    try:
        await product.start()
        async with hands(product) as made:
            yield made
    finally:
        await product.stop()


@pytest.mark.timeout(420)
async def test_a_minute_of_hostile_input_costs_no_good_order(private: Running, tmp_path: Path) -> None:
    product = private.product
    target = Target(
        product.site,
        lambda user: product.users.get(user, product.kafka).librdkafka(),
        prefix=product.prefix,
        services=NAMES,
    )
    seed = int(os.environ.get("HOSTILE_SEED", "1"))
    findings = await run(target, SECONDS, seed, prepare(tmp_path / "hostile"), lambda _line: None)
    for name in NAMES:
        assert not [row for row in await product.query(name, "SELECT reason FROM dead_letters") if not row[0]]
    assert findings.kept == []
    assert findings.answers["good orders", "delivered"] > 0
