"""From a dead letter to its delivery, by the command line as people use it, with a kill -9 in the middle.

The cause is one that happens: the range of card numbers that an operator allotted is used up. A paid order cannot be
given one, is put aside, and goes on when the range has been extended.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from product.faults import died, restart
from product.harness import Running
from product.judge import until
from product.privacy import BUYERS
from product.running import Product
from product.shop import Buyer
from shared.contracts import OrderPaid, orders_topic
from shared.messaging.cloudevents import to_wire
from shared.testing.backends import backends
from shared.testing.documents import Json

FULFIL = str(Path(sys.executable).with_name("fulfil"))
DEADLINE = "PROVISIONING_DEADLINE_SECONDS"
_USED_UP = "DO $$ BEGIN EXECUTE format('ALTER SEQUENCE iccid_serial MAXVALUE %s', nextval('iccid_serial')); END $$"
_EXTENDED = "ALTER SEQUENCE iccid_serial NO MAXVALUE"


@dataclass
class Printed:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Json:
        return json.loads(self.out)


class Operator:
    """A person with the command line. Nothing it ever says may tell of a buyer."""

    def __init__(self, product: Product) -> None:
        urls = {name: product.url(name) for name in product.services}
        key = product.site.operations_keys["operator"]
        self._environment = {
            **os.environ,
            "FULFIL_SERVICES": json.dumps(urls),
            "FULFIL_KEY": key,
            "FULFIL_USER": "anna",
        }

    async def fulfil(self, *words: str) -> Printed:
        process = await asyncio.create_subprocess_exec(
            *(FULFIL, *words),
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        printed = Printed(process.returncode or 0, out.decode(), err.decode())
        assert not [mark for mark in BUYERS if mark in printed.out + printed.err], printed
        return printed


def alter(product: Product, statement: str) -> None:
    """As the owner of provisioning's database."""
    name = product.site.databases["provisioning"].rpartition("/")[2]
    with psycopg.connect(f"{backends().postgres}/{name}", autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture
async def patient(running: Running) -> AsyncIterator[Running]:
    """Whoever puts something right needs longer than this stack's operators are given."""
    product = running.product
    usual = product.services["provisioning"].environment[DEADLINE]
    await restart(product, "provisioning", **{DEADLINE: "600"})
    try:
        yield running
    finally:
        await restart(product, "provisioning", **{DEADLINE: usual})
        for name in ("provisioning", "ordering"):
            await product.forgive(name)


@asynccontextmanager
async def used_up(product: Product) -> AsyncIterator[None]:
    alter(product, _USED_UP)
    try:
        yield
    finally:
        alter(product, _EXTENDED)


async def metric(running: Running, service: str, name: str) -> float:
    """The sum of a metric's series."""
    text = (await running.shop.http.get(f"{running.product.url(service)}/metrics")).text
    return sum(
        float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith((f"{name}{{", f"{name} "))
    )


@pytest.mark.long
async def test_a_paid_order_that_was_put_aside_is_delivered_once_by_its_redrive(patient: Running) -> None:
    # given: two paid orders that cannot be given a card number, and are put aside
    product, shop, operator = patient.product, patient.shop, Operator(patient.product)
    async with used_up(product):
        orders = await shop.buy_many(2)
        await patient.judge.put_aside({"provisioning": 2})

        # then: list, metric and details name them, and a redrive fails while the cause lasts
        listed = await operator.fulfil("dead-letters", "list", "--fault", "handler_failed")
        assert (listed.code, listed.err) == (0, "")
        assert all(order.id in listed.out for order in orders)
        assert "SequenceGeneratorLimitExceeded" in listed.out

        async def not_counted() -> str:
            return "" if await metric(patient, "provisioning", "dead_letters_waiting") == 2 else "not in the metric"

        await until(not_counted)
        found = (await operator.fulfil("dead-letters", "list", "--json")).json
        order_of = {one["id"]: order for one in found for order in orders if order.id == one["key"]}
        first, second = sorted(order_of)  # as a redrive takes them: the oldest first
        shown = await operator.fulfil("dead-letters", "show", first)
        assert OrderPaid.topic in shown.out
        assert order_of[first].number in shown.out
        refused = await operator.fulfil("dead-letters", "redrive", first, "--reason", "perhaps it works now")
        assert refused.code == 1
        assert "its handler failed again: SequenceGeneratorLimitExceeded" in refused.out

    # when: the cause is gone; then: a dry run says what would be redriven, and changes nothing
    meant = ("--fault", "handler_failed", "--service", "provisioning", "--reason", "the range was extended")
    rehearsed = await operator.fulfil("dead-letters", "redrive", *meant, "--dry-run")
    assert rehearsed.code == 0
    assert "2 would be redriven, 0 not." in rehearsed.out
    assert await patient.judge.new_profiles() == [], "a dry run changes nothing"
    # when: provisioning dies before the commit of a redrive (nothing has happened) and after it (the first one is done)
    for point in ("redrive.before_commit", "redrive.after_commit"):
        await restart(product, "provisioning", point)
        broken = await operator.fulfil("dead-letters", "redrive", *meant, "--limit", "1")
        assert broken.code == 1
        assert "provisioning does not answer" in broken.err
        await died(product, "provisioning", point)
    await restart(product, "provisioning")
    # then: the next redrive does the second one only, one more is refused, and each order is delivered once
    done = await operator.fulfil("dead-letters", "redrive", *meant)
    assert (done.code, done.out.count("redriven  ")) == (0, 1), done
    assert second in done.out
    once_more = await operator.fulfil("dead-letters", "redrive", first, second, "--reason", "to be sure")
    assert once_more.code == 1
    assert once_more.out.count("it is redriven already") == 2
    await patient.judge.delivered(orders)
    log = (await operator.fulfil("log", "--service", "provisioning", "--json")).json
    assert [line["action"] for line in log] == ["dead-letter.redriven"] * 2 + ["dead-letter.redrive-failed"]
    assert {line["who"] for line in log} == {"operator (anna)"}


async def test_a_record_that_is_no_order_is_discarded_and_tells_nothing_of_its_buyer(patient: Running) -> None:
    # given: a record that is no order, with a buyer's data in every part of it
    product, operator, buyer = patient.product, Operator(patient.product), Buyer()
    body = json.dumps({"storefront": "esimka", "order": patient.shop.body("esimka", buyer)}).encode()
    headers = to_wire({"ce_specversion": "1.0", "ce_id": buyer.email, "ce_source": buyer.name, "ce_type": buyer.phone})
    await patient.topics.raw(orders_topic("esimka"), f"esimka:{buyer.email}".encode(), body, headers)
    await patient.judge.put_aside({"ordering": 1})
    # then: it is sealed, can be found by the shop's own key, and cannot be redriven
    [dead_letter] = (await operator.fulfil("dead-letters", "list", "--service", "ordering", "--json")).json
    assert dead_letter["sealed"] is True
    keyed = await operator.fulfil("dead-letters", "list", "--key", f"esimka:{buyer.email}")
    assert dead_letter["id"] in keyed.out, "the shop, who knows its own key, can be answered"
    for words in (("show", dead_letter["id"]), ("show", dead_letter["id"], "--json")):
        assert "seal" in (await operator.fulfil("dead-letters", *words)).out
    unread = await operator.fulfil("dead-letters", "redrive", dead_letter["id"], "--reason", "to see what it says")
    assert unread.code == 1
    assert "still unreadable (unknown_version)" in unread.out
    # when: it is discarded; then: its content is deleted, and the log keeps the reason
    done = await operator.fulfil("dead-letters", "discard", dead_letter["id"], "--reason", "the shop sends it anew")
    assert (done.code, done.out) == (0, f"discarded  {dead_letter['id']}  ordering\n1 discarded, 0 not.\n")
    assert "deleted with the decision" in (await operator.fulfil("dead-letters", "show", dead_letter["id"])).out
    assert (await operator.fulfil("status")).code == 0
    assert "the shop sends it anew" in (await operator.fulfil("log", "--service", "ordering")).out
    [kept] = await product.query("ordering", "SELECT payload IS NULL, state FROM dead_letters")
    assert kept == (True, "discarded")
