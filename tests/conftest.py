"""The product for end-to-end and fault tests: one per worker, as real processes, shared by the tests one by one."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from local_stack.infra import Infra
from product.forked import end_servers
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


class _Shared:
    """The worker's product, which its tests of this folder share. It starts with the first one that asks for it."""

    def __init__(self) -> None:
        self._product: Product | None = None
        self._failure: Exception | None = None
        self._until_end = ExitStack()

    def get(self, directories: pytest.TempPathFactory) -> Product:
        """The product, at work. One that did not start is not tried again: each test would wait for it."""
        if self._failure is not None:
            raise self._failure
        if self._product is None:
            try:
                self._product = self._until_end.enter_context(contextmanager(whole)(directories.mktemp("product")))
            except Exception as error:
                self._failure = error
                raise
        return self._product

    def end(self) -> None:
        """Stop it, if it runs. Raises AssertionError where something got into its logs that may not be there."""
        self._product = None
        try:
            self._until_end.close()
        finally:
            end_servers()


_SHARED = _Shared()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Iterator[None]:
    """The product ends with this worker's last test of the folder: idle beside the others, it would cost a tenth of a
    core and 0.8 GiB. So do the processes from which services are forked.
    """
    try:
        return (yield)
    finally:
        if nextitem is None or HERE not in nextitem.path.parents:
            _SHARED.end()


def pytest_sessionfinish() -> None:
    """The product ends also where a run ends early."""
    _SHARED.end()


@pytest.fixture
def product(tmp_path_factory: pytest.TempPathFactory) -> Product:
    """The worker's product."""
    return _SHARED.get(tmp_path_factory)


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
