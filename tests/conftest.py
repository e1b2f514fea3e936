"""The product for end-to-end and fault tests: one per worker, as real processes, shared by the tests one by one."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from local_stack.infra import Infra
from product.harness import Running, harness
from product.rights import own_servers
from product.running import Product
from product.whole import on_own_servers, whole

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
    async with harness(product) as made:
        yield made


@pytest.fixture
def broker_settings() -> dict[str, str]:
    """What the brokers of `infra` are set to besides; a test that needs other settings overrides this."""
    return {}


@pytest.fixture
def infra(tmp_path: Path, broker_settings: dict[str, str]) -> Iterator[Infra]:
    """Kafka and Postgres of one test's own: no other test notices what happens to them."""
    with own_servers(tmp_path / "servers", broker_settings) as started:
        yield started


@pytest.fixture
async def private(infra: Infra, tmp_path: Path) -> AsyncIterator[Running]:
    """A product that is alone on the servers of `infra`."""
    async with on_own_servers(infra, tmp_path / "product") as made:
        yield made
