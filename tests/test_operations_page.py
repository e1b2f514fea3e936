"""The operations page beside the whole product: from a dead letter to the order's delivery, by a person's hands.

The cause: somebody has forbidden in notifications' database what a generated profile needs. It is allowed again, and
whoever is on duty redrives the letter from the page, in a real browser.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from local_stack.ports import free_ports
from local_stack.processes import ManagedProcess
from local_stack.product import OPERATIONS
from product.harness import Running
from product.judge import until
from product.privacy import BUYERS
from product.rights import as_service, drop_service
from product.running import READY_SECONDS, Product
from product.shop import Order
from shared.testing.backends import backends
from shared.testing.browser import Page, browser
from shared.testing.databases import new_database

#: Where to put pictures of the pages, for whoever wants to look at them.
SHOTS = os.environ.get("PAGE_PICTURES")
PASSWORD = "correct horse battery"
_FORBID = "ALTER TABLE orders ADD CONSTRAINT nothing_generated CHECK (generated_at IS NULL) NOT VALID"
_ALLOW = "ALTER TABLE orders DROP CONSTRAINT IF EXISTS nothing_generated"


@dataclass
class Console:
    """The operations component, and where its pages are."""

    process: ManagedProcess
    log: Path

    def url(self, path: str = "") -> str:
        return f"http://127.0.0.1:{self.process.environment['HTTP_PORT']}/console{path}"

    async def account(self, name: str, role: str) -> None:
        """As an administrator makes one."""
        words = ("-m", "operations", "accounts", "add", name, "--role", role, "--password-stdin")
        made = await asyncio.create_subprocess_exec(
            sys.executable, *words, env=self.process.environment, stdin=asyncio.subprocess.PIPE
        )
        await asyncio.wait_for(made.communicate(f"{PASSWORD}\n".encode()), 60)
        assert made.returncode == 0

    async def sign_in(self, page: Page, name: str) -> None:
        await page.goto(self.url())
        await page.fill("#name", name)
        await page.fill("#password", PASSWORD)
        await page.click('role=button[name="Sign in"]')
        await page.wait("text=Sign out")


@pytest.fixture
async def console(running: Running) -> AsyncIterator[Console]:
    product = running.product
    database = await asyncio.to_thread(new_database, OPERATIONS.name)
    product.site.databases[OPERATIONS.name] = await asyncio.to_thread(as_service, database)
    product.site.invent_secrets([OPERATIONS.name], (), ())
    product.site.ports[OPERATIONS.name] = free_ports(1)[0]
    process = product.beside(OPERATIONS)
    process.environment |= {"EVALUATION_SECONDS": "1"}
    process.start()
    try:
        await process.wait_ready(lambda: product.answers(product.site.ports[OPERATIONS.name]), READY_SECONDS)
        yield Console(process, product.site.log(OPERATIONS.name))
    finally:
        await process.stop()
        await asyncio.to_thread(drop_service, database)


@asynccontextmanager
async def forbidden(product: Product) -> AsyncIterator[None]:
    """As the owner of notifications' database."""
    name = product.site.databases["notifications"].rpartition("/")[2]
    with psycopg.connect(f"{backends().postgres}/{name}", autocommit=True) as connection:
        connection.execute(_FORBID)
        try:
            yield
        finally:
            connection.execute(_ALLOW)


async def look(page: Page, name: str) -> None:
    if SHOTS is not None:
        await page.screenshot(Path(SHOTS) / f"{name}.png")


async def found(page: Page, console: Console, wanted: str, order: Order) -> None:
    await page.goto(console.url("/audit"))
    await page.fill('[name="wanted"]', wanted)
    await page.driven.keyboard.press("Enter")
    await page.arrive(f"**/orders/{order.id}")


async def test_a_dead_letter_is_redriven_from_the_page_and_the_order_is_delivered(
    running: Running, console: Console
) -> None:
    await console.account("olga", "operator")
    [[stored]] = await running.product.query("operations", "SELECT password_hash FROM accounts")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$"), "as costly as RFC 9106 asks"
    async with browser() as page:
        async with forbidden(running.product):
            order = await running.shop.buy()
            await running.judge.put_aside({"notifications": 1})
            await console.sign_in(page, "olga")
            assert "1 dead letter waiting" in await page.text(".notice")
            await found(page, console, order.number, order)
            assert "handler failed" in await page.text("#dead-letters ~ form")
            await page.driven.check('[aria-labelledby="dead-letters"] input[name="chosen"]')
            await page.click("text=Redrive selected…")
            await page.wait("text=This would redrive 1.")
            await page.fill("#words", "perhaps it works now")
            await page.click('role=button[name="Redrive 1"]')
            await page.wait("text=0 of 1 redriven")
            assert "its handler failed again: CheckViolation" in await page.text("main")
        await page.goto(console.url("/dead-letters?service=notifications"))
        await page.click("text=Redrive all…")
        await page.wait("text=This would redrive 1.")
        await page.fill("#words", "it is allowed again: ticket 17")
        await page.click('role=button[name="Redrive 1"]')
        await page.wait("text=1 of 1 redriven")
        [profile] = await running.judge.delivered([order])
        for wanted in (profile["iccid"], order.id, order.buyer.email):
            await found(page, console, wanted, order)

        facts = ("ordering.order-placed", "payments.order-paid", "notifications.qr-delivered", profile["iccid"])

        async def untold() -> str:
            await page.goto(console.url(f"/orders/{order.id}"))
            text = await page.text()
            return ", ".join(fact for fact in facts if fact not in text)

        await until(untold)
        assert not [mark for mark in (*BUYERS, order.buyer.mark) if mark.lower() in (await page.html()).lower()]
        await look(page, "product-order")
        await page.goto(console.url("/audit"))
        trail = await page.text("tbody")
        assert "it is allowed again: ticket 17" in trail
        assert "searched by email" in trail
        assert order.buyer.mark not in trail.lower()
        await page.goto(console.url())
        assert "dead letter" not in await page.text(".notice")
        assert "available" in await page.text("#operators ~ ul")
        await look(page, "product-overview")
        assert page.errors == []
        assert not [address for address in page.requests if order.buyer.mark in address.lower()]
    [line] = await running.product.query(
        "notifications", "SELECT decided_by, decision FROM dead_letters WHERE state = 'redriven'"
    )
    assert line == ("operations (olga)", "it is allowed again: ticket 17")
    written = console.log.read_text(errors="replace").lower()
    assert not [mark for mark in (*BUYERS, order.buyer.mark) if mark.lower() in written]
    await running.product.forgive("notifications")  # decided, and no other test's affair
