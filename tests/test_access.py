"""Least privilege, proved on a real broker and a real Postgres: everybody does their own work, and nothing besides.

`running` is the whole product with the rights of deploy/access/access.json, as every stack has them.
"""

import asyncio
import json

import psycopg
import pytest
from aiokafka import AIOKafkaConsumer

from local_stack.access import owner_of, read_access, storefront_user
from local_stack.product import STOREFRONTS
from product import brokers
from product.harness import Running
from product.running import NAMES, Product
from product.shop import Buyer
from product.topics import Topics
from shared.contracts import EVENTS, BuyerContact, OrderPlaced, OrderSubmitted, orders_topic, updates_topic
from shared.messaging.access import KafkaAccess
from shared.messaging.producer import Producer

#: It has no facts of its own, and only reads.
WATCHER = "operations"
STOREFRONT = storefront_user(STOREFRONTS[0])
DDL = (
    "CREATE TABLE intruder (id int)",
    "CREATE TEMPORARY TABLE intruder (id int)",
    "CREATE SCHEMA intruder",
    "ALTER TABLE outbox ADD COLUMN intruder int",
    "ALTER TABLE outbox DISABLE TRIGGER ALL",
    "DROP TABLE outbox",
    "TRUNCATE outbox",
    "CREATE FUNCTION intruder() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "ALTER ROLE CURRENT_USER CREATEDB",
)


@pytest.fixture
def guarded(running: Running) -> Product:
    if not running.product.users:
        pytest.skip("this broker asks nobody who they are")
    return running.product


def everything(product: Product, *, but: frozenset[str] | set[str] = frozenset()) -> list[str]:
    return [product.prefix + topic for topic in EVENTS if topic not in but]


def owned(name: str) -> set[str]:
    return {topic for topic in EVENTS if topic.startswith(f"{name}.")}


def subscribed(name: str) -> set[str]:
    """What the table lets a service read; that this is what its code subscribes to is proved beside the table."""
    [acls] = [one.acls for one in read_access().principals if one.name == name]
    return {acl.name for acl in acls if acl.type == "topic" and "Read" in acl.operations}


@pytest.mark.parametrize("name", [*NAMES, WATCHER])
async def test_a_service_reads_its_topics_and_no_neighbours(guarded: Product, name: str) -> None:
    found = await brokers.readable(guarded.users[name], everything(guarded))
    assert {topic.removeprefix(guarded.prefix) for topic in found} == subscribed(name) & set(EVENTS)
    assert len(found) < len(EVENTS)


@pytest.mark.parametrize("name", [*NAMES, WATCHER])
async def test_a_service_tells_only_its_own_facts(guarded: Product, name: str) -> None:
    neighbours = everything(guarded, but=owned(name))
    assert await asyncio.to_thread(brokers.writable, guarded.users[name], neighbours) == set()


@pytest.mark.parametrize("name", [*NAMES, WATCHER])
async def test_a_service_changes_no_topic_and_uses_no_other_group(guarded: Product, name: str) -> None:
    user, own = guarded.users[name], guarded.prefix + min(owned(name) | subscribed(name))
    neighbour = next(one for one in NAMES if one != name)

    def attempts() -> dict[str, bool]:
        return {
            "create its own": brokers.can_create(user, f"{guarded.prefix}{name}.intruder"),
            "create another": brokers.can_create(user, f"{guarded.prefix}{neighbour}.intruder"),
            "configure": brokers.can_configure(user, own),
            "delete": brokers.can_delete(user, own),
            "grant": brokers.can_grant(user),
            "neighbour's group": brokers.can_use_group(user, guarded.prefix + neighbour),
            "own group": brokers.can_use_group(user, guarded.prefix + name),
        }

    found = await asyncio.to_thread(attempts)
    assert [what for what, may in found.items() if may] == ["own group"]


@pytest.mark.parametrize("name", NAMES)
async def test_the_owner_looks_after_its_topics_and_neither_reads_nor_writes_them(guarded: Product, name: str) -> None:
    owner, probe = guarded.users[owner_of(name)], f"{guarded.prefix}{name}.probe"
    neighbour = f"{guarded.prefix}{NAMES[NAMES.index(name) - 1]}.intruder"

    def attempts() -> tuple[list[bool], set[str]]:
        changes = [
            brokers.can_create(owner, probe),
            brokers.can_configure(owner, probe),
            brokers.can_delete(owner, probe),
            brokers.can_create(owner, neighbour),
        ]
        brokers.can_delete(guarded.kafka, probe)
        return changes, brokers.writable(owner, everything(guarded))

    assert await asyncio.to_thread(attempts) == ([True, True, False, False], set())
    assert await brokers.readable(owner, everything(guarded)) == set()


async def test_a_storefront_submits_and_can_do_nothing_else(running: Running, guarded: Product) -> None:
    shop, buyer = guarded.users[STOREFRONT], Buyer()
    storefront = STOREFRONTS[0]
    topics = Topics(guarded)
    await topics.close()
    topics._producer = Producer(shop, prefix=guarded.prefix)
    try:
        submitted = OrderSubmitted(
            storefront=storefront, submission_id=buyer.key, order=running.shop.body(storefront, buyer)
        )
        await topics.publish(submitted)
    finally:
        await topics.close()
    # Another shop's topics, and the one that all shared, are closed to it.
    order = await running.shop.place(storefront, buyer)
    [placed] = await running.topics.events(OrderPlaced, where=lambda one: one.submission_id == buyer.key)
    assert order.id == str(placed.event.order_id)

    def attempts() -> tuple[set[str], bool, bool]:
        others = [*everything(guarded), *(guarded.prefix + orders_topic(name) for name in STOREFRONTS[1:])]
        return (
            brokers.writable(shop, others),
            brokers.can_create(shop, f"{guarded.prefix}storefront.intruder"),
            brokers.can_use_group(shop, f"{guarded.prefix}ordering"),
        )

    assert await asyncio.to_thread(attempts) == (set(), False, False)
    own = guarded.prefix + orders_topic(storefront)
    assert await asyncio.to_thread(brokers.writable, shop, [own]) == {own}
    # What was written to try it is no order: ordering puts it aside, and other tests' judges must not find it.
    await running.judge.put_aside({"ordering": 1})
    await running.product.forgive("ordering")
    assert await brokers.readable(shop, [*everything(guarded), own]) == set()


async def test_a_storefront_reads_its_own_updates_and_nothing_else(running: Running, guarded: Product) -> None:
    shop, storefront = guarded.users[STOREFRONT], STOREFRONTS[0]
    own = guarded.prefix + updates_topic(storefront)
    order = await running.shop.place(storefront, Buyer())
    group = f"{guarded.prefix}{STOREFRONT}.reports"
    consumer = AIOKafkaConsumer(own, **shop.aiokafka(), group_id=group, auto_offset_reset="earliest")
    try:
        await consumer.start()
        async with asyncio.timeout(brokers.SECONDS):
            heard = await consumer.getone()
            while heard.key.decode() != order.id:
                heard = await consumer.getone()
        await consumer.commit()
    finally:
        await consumer.stop()
    assert json.loads(heard.value)["type"] == "order.accepted"

    others = [guarded.prefix + topic_of(name) for name in STOREFRONTS for topic_of in (orders_topic, updates_topic)]
    assert await brokers.readable(shop, [*everything(guarded), *others]) == {own}

    def attempts() -> tuple[set[str], dict[str, bool]]:
        groups = (STOREFRONT, f"{STOREFRONT}.reports", f"{STOREFRONT}-2", storefront_user(STOREFRONTS[1]), "ordering")
        may_use = {name: brokers.can_use_group(shop, guarded.prefix + name) for name in groups}
        return brokers.writable(shop, [guarded.prefix + updates_topic(name) for name in STOREFRONTS]), may_use

    written, may_use = await asyncio.to_thread(attempts)
    assert written == set()
    assert [name for name, may in may_use.items() if may] == [STOREFRONT, f"{STOREFRONT}.reports"]


@pytest.mark.parametrize("name", [*NAMES, WATCHER])
async def test_no_service_reads_what_shops_hear_and_ordering_alone_writes_it(guarded: Product, name: str) -> None:
    topics = [guarded.prefix + updates_topic(shop) for shop in STOREFRONTS]
    assert await brokers.readable(guarded.users[name], topics) == set()
    if name != "ordering":
        assert await asyncio.to_thread(brokers.writable, guarded.users[name], topics) == set()


@pytest.mark.parametrize("name", NAMES)
async def test_no_service_writes_a_shops_topic(guarded: Product, name: str) -> None:
    topics = [guarded.prefix + orders_topic(shop) for shop in STOREFRONTS]
    assert await asyncio.to_thread(brokers.writable, guarded.users[name], topics) == set()


async def test_nobody_comes_in_without_a_name_and_its_password(guarded: Product) -> None:
    user = guarded.users["payments"]
    strangers = [
        KafkaAccess(user.bootstrap_servers),
        KafkaAccess(user.bootstrap_servers, user.username, "guessed"),
        KafkaAccess(user.bootstrap_servers, "stranger", user.password),
    ]
    assert await asyncio.to_thread(brokers.lets_in, user)
    assert not any(await asyncio.gather(*(asyncio.to_thread(brokers.lets_in, one) for one in strangers)))


@pytest.mark.parametrize("name", NAMES)
async def test_a_service_enters_no_neighbours_database(guarded: Product, name: str) -> None:
    who = libpq(guarded, name).rpartition("/")[0]
    for neighbour in NAMES:
        where = libpq(guarded, neighbour).rpartition("/")[2]
        if neighbour != name:
            with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                await psycopg.AsyncConnection.connect(f"{who}/{where}")


@pytest.mark.parametrize("name", NAMES)
async def test_a_service_changes_no_table(guarded: Product, name: str) -> None:
    async with await psycopg.AsyncConnection.connect(libpq(guarded, name), autocommit=True) as connection:
        for statement in DDL:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await connection.execute(statement)
        # What it needs a larger hand for, once a day, is a function of the owner's.
        await connection.execute("SELECT inbox_maintain(CURRENT_DATE, 7, 14)")


def libpq(product: Product, name: str) -> str:
    return product.site.databases[name].replace("+psycopg", "")


def test_contacts_are_read_by_few() -> None:
    """Names, e-mails and phones: ordering tells them, and three services and nobody else need them."""
    readers = {
        one.name
        for one in read_access().principals
        if any(acl.name == BuyerContact.topic and "Read" in acl.operations for acl in one.acls)
    }
    # Ordering writes them, and reads them when its database was put back.
    assert readers - {"operations"} == {"ordering", "payments", "notifications", "refunds"}
