"""A product from its start to its end: on the run's servers, or on servers of a test's own."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from local_stack.access import Access
from local_stack.infra import Infra
from product.harness import Running, harness
from product.privacy import leaks
from product.rights import admitted, as_service, drop_service, on_servers
from product.running import NAMES, Product
from shared.testing.backends import backends
from shared.testing.databases import new_database


def whole(directory: Path, shops: Path | None = None, access: Access | None = None) -> Iterator[Product]:
    """For a fixture: one started product on the run's servers, with databases and topics of its own.

    `shops` and `access`: other shops than the repository's, and the rights of everybody then.
    At its end nobody's data may have got into a log or a trace.
    """
    databases = {name: new_database(name) for name in NAMES}
    prefix = f"p{secrets.token_hex(4)}."
    users = admitted(backends().secured, prefix, access)
    urls = {name: as_service(url) for name, url in databases.items()}
    made = Product(directory, backends().kafka, urls, prefix, users, shops)
    try:
        asyncio.run(made.start())
        yield made
        # Whatever went wrong in all these tests: nobody's data got into a log or a trace.
        assert not leaks(made)
    finally:
        asyncio.run(made.stop())
        for url in databases.values():
            drop_service(url)


@asynccontextmanager
async def on_own_servers(infra: Infra, directory: Path) -> AsyncIterator[Running]:
    """A started product that is alone on these servers, which a test may kill, hurry or search."""
    product = await on_servers(infra, directory)
    try:
        await product.start()
        async with harness(product) as running:
            yield running
    finally:
        await product.stop()
