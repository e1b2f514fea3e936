"""Two troubles that end in the dead letters: a paid order without a card number, and a record that is no order."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg

from local_stack.access import storefront_user
from local_stack.site import Site
from shared.contracts import orders_topic
from shared.messaging.access import KafkaAccess
from shared.messaging.producer import Producer
from tour.buying import Buying
from tour.orders import Buyer, Paid

SHOP, PLAN = "e-sim-onl", "global-3gb-30d"
#: What the listing must not tell.
NOBODY = "ivan@example.org"
_NO_ORDER = f'{{"plan": "{PLAN}", "buyer": {{"name": "Ivan", "email": "{NOBODY}"'.encode()
#: The range ends with the number that was given last.
_USED_UP = "DO $$ BEGIN EXECUTE format('ALTER SEQUENCE iccid_serial MAXVALUE %s', nextval('iccid_serial')); END $$"
_EXTENDED = "ALTER SEQUENCE iccid_serial NO MAXVALUE"


@asynccontextmanager
async def used_up(owner_url: str) -> AsyncIterator[None]:
    """The operator's range of card numbers, as the owner of provisioning's database, who alone may change it."""
    await asyncio.to_thread(_alter, owner_url, _USED_UP)
    try:
        yield
    finally:
        await asyncio.to_thread(_alter, owner_url, _EXTENDED)


async def buy(buying: Buying, email: str) -> Paid:
    """Lena orders and pays, as usual."""
    order = await buying.order(SHOP, PLAN, Buyer("Lena", email, "+4915187654321", "en"))
    return await buying.pay(await buying.page(order))


async def spoil(site: Site) -> None:
    """As a shop's broken program would: over Kafka, as the shop itself."""
    login = site.kafka_login(storefront_user(SHOP))
    producer = Producer(KafkaAccess(login.bootstrap_servers, login.username, login.password))
    try:
        await (await producer.send(orders_topic(SHOP), b"no-order", _NO_ORDER, []))
    finally:
        await producer.stop()


def _alter(owner_url: str, statement: str) -> None:
    with psycopg.connect(owner_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(statement)
