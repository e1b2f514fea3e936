"""The product for end-to-end and fault tests: one per worker, as real processes, shared by the tests one by one."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from product.hands import Running, hands
from product.running import Product
from product.whole import whole

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents and {"running", "private"}.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.infra)
            if item.get_closest_marker("timeout") is None:  # several waits, each with a limit of its own
                item.add_marker(pytest.mark.timeout(480))


@pytest.fixture(scope="session")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    yield from whole(tmp_path_factory.mktemp("product"))


@pytest.fixture
async def running(product: Product) -> AsyncIterator[Running]:
    """The worker's product, whole and unarmed whatever the test before did to it."""
    for name, service in product.services.items():
        service.resume()
        if not service.running or service.environment.get("FAILPOINTS"):
            await service.stop()
            product.arm(name)
            service.start()
    for name in product.services:
        await product.ready(name)
    async with hands(product) as made:
        yield made
