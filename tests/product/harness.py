"""What a test holds in its hands."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from product.judge import Judge
from product.running import Product
from product.shop import Shop
from product.topics import Topics
from sandbox.client import SandboxClient

#: What an earlier test left under way, a repeated call or a mail, is not the next one's. A call that failed is tried
#: again within two minutes.
EARLIER_SECONDS = 150.0


@dataclass
class Running:
    """A running product, a shop that sells, the sandbox's control, and the judge."""

    product: Product
    sandbox: SandboxClient
    topics: Topics
    shop: Shop
    judge: Judge


@asynccontextmanager
async def harness(product: Product) -> AsyncIterator[Running]:
    sandbox = SandboxClient(product.url("sandbox"), smtp_port=product.site.ports["smtp"])
    topics = Topics(product)
    shop = Shop(product, sandbox, topics)
    judge = Judge(product, sandbox, shop)
    try:
        await judge.quiet(EARLIER_SECONDS)
        await judge.begin()
        yield Running(product, sandbox, topics, shop, judge)
    finally:
        await sandbox.clear_faults()
        await shop.close()
        await topics.close()
        await sandbox.close()
