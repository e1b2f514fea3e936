"""What could not be applied waits for a person, who puts it right with the command line."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg

from local_stack.paths import WORK_TREE
from shared.contracts import OrderSubmitted
from shared.messaging.access import KafkaAccess
from shared.messaging.producer import Producer
from tour.expectations import Outcome, UnmetError, until
from tour.orders import Buyer, Order, Paid
from tour.stage import Stage

NAME = "Put right by a person"
WORDS = (
    "A paid order cannot be given a card number: the range that the operator allotted is used up. And a shop sends "
    "something that is no order. Both are put aside, nothing else waits, an alarm rings. A person looks, extends the "
    "range, and has the one applied as if it came now; the other is discarded, with a reason that is kept."
)
_SHOP, _PLAN = "e-sim-onl", "global-3gb-30d"
_FULFIL = Path(sys.executable).with_name("fulfil")
_NO_ORDER = b'{"plan": "global-3gb-30d", "buyer": {"name": "Ivan", "email": "ivan@example.org"'
#: The range ends with the number that was given last.
_USED_UP = "DO $$ BEGIN EXECUTE format('ALTER SEQUENCE iccid_serial MAXVALUE %s', nextval('iccid_serial')); END $$"
_EXTENDED = "ALTER SEQUENCE iccid_serial NO MAXVALUE"


async def perform(stage: Stage, outcome: Outcome) -> None:
    """Use the range up, pay, spoil a record; list, redrive, discard; then look into the ledgers."""
    before = await stage.begin()
    async with _used_up(stage):
        paid = await _pay(stage, outcome)
        await _spoil(stage)
        listed = await _listed(stage, paid.order)
    stage.teller.say("The range is extended; the letters still wait for somebody who decides.")
    ours = next(line.split()[0] for line in listed if paid.order.id in line)
    other = next(line.split()[0] for line in listed if OrderSubmitted.topic in line)
    redriven = await _fulfil(stage, "dead-letters", "redrive", ours, "--reason", "the range is extended", "--yes")
    discarded = await _fulfil(stage, "dead-letters", "discard", other, "--reason", "no order; the shop knows", "--yes")
    outcome.expect(redriven[0].startswith("redriven"), "the paid order is applied again", "provisioning")
    outcome.expect(discarded[0].startswith("discarded"), "what is no order is discarded", "ordering")
    stage.teller.quote([*redriven, *discarded])
    with stage.teller.step("Waiting for the mail, then looking into the ledgers") as step:
        await stage.mail_to(paid.order)
        await stage.reaches(paid.order, "delivered")
        outcome.delivered += 1
        await stage.check_delivered(outcome, [paid], before)
        if outcome.ok:
            step.done(f"Order {paid.order.number} is delivered: one payment, one profile, one mail")
        else:
            step.failed("The ledgers do not agree")


async def _pay(stage: Stage, outcome: Outcome) -> Paid:
    buyer = Buyer("Lena", stage.address("Lena"), "+4915187654321", "en")
    shop = await stage.buying.shop(_SHOP)
    with stage.teller.step(f"{shop.name}: {buyer.name} orders") as step:
        order = await stage.buying.order(_SHOP, _PLAN, buyer)
        paid = await stage.buying.pay(await stage.buying.page(order))
        outcome.orders += 1
        step.done(f"{shop.name}: order {order.number}, {order.plan}, is paid: {order.price}")
    return paid


async def _spoil(stage: Stage) -> None:
    """As a shop's broken program would: over Kafka, as the shop itself."""
    login = stage.stack.state.kafka_login(f"storefront-{_SHOP}")
    producer = Producer(KafkaAccess(login.bootstrap_servers, login.username, login.password))
    try:
        await (await producer.send(OrderSubmitted.topic, b"no-order", _NO_ORDER, []))
    finally:
        await producer.stop()


async def _listed(stage: Stage, order: Order) -> list[str]:
    """What the command line lists, once both letters are there."""

    async def look() -> list[str] | None:
        lines = await _fulfil(stage, "dead-letters", "list")
        text = "\n".join(lines)
        return lines if order.id in text and OrderSubmitted.topic in text else None

    with stage.teller.step("fulfil dead-letters list") as step:
        lines = await until(look, "both records are put aside", "provisioning", "ordering", every=0.2)
        if "ivan" in "\n".join(lines):
            raise UnmetError("expected that the listing tells nothing of a buyer", "ordering")
        step.done("Two dead letters wait; what may be personal is sealed, and the listing tells nothing of it")
    stage.teller.quote([_brief(line) for line in lines])
    return lines


def _brief(line: str) -> str:
    """Without the columns that a person reads in `show`."""
    return " ".join(line.split()[:4]) if line[:1].isdigit() else "id service topic fault"


async def _fulfil(stage: Stage, *words: str) -> list[str]:
    """Lines of the real command on this stack. Raises UnmetError where it cannot be run."""
    process = await asyncio.create_subprocess_exec(
        _FULFIL,
        *words,
        cwd=WORK_TREE,
        env={**os.environ, "FULFIL_STACK": stage.stack.name},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    lines = out.decode().splitlines()
    if not lines or err:
        raise UnmetError(f"expected that `fulfil {words[0]}` answers, but: {err.decode().strip() or 'nothing'}")
    return lines


@asynccontextmanager
async def _used_up(stage: Stage) -> AsyncIterator[None]:
    """As the owner of provisioning's database, who alone may change a range."""
    await asyncio.to_thread(_alter, stage, _USED_UP)
    try:
        yield
    finally:
        await asyncio.to_thread(_alter, stage, _EXTENDED)


def _alter(stage: Stage, statement: str) -> None:
    url = stage.stack.state.owner_databases["provisioning"].replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)
