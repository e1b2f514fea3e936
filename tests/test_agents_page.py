"""The agents' page beside the whole product: an order is found by its buyer's e-mail, and its story is on one page.

A service that does not answer is shown as not known, never as nothing.
"""

import asyncio
import os
import sys
from pathlib import Path

from product.harness import Running
from product.judge import until
from shared.testing.browser import Page, browser

#: Where to put pictures of the pages, for whoever wants to look at them.
SHOTS = os.environ.get("PAGE_PICTURES")
PASSWORD = "correct horse battery"


async def look(page: Page, name: str) -> None:
    if SHOTS is not None:
        await page.screenshot(Path(SHOTS) / f"{name}.png")


async def account(running: Running, name: str, role: str) -> None:
    """Add a local account of refunds by its command."""
    words = ("-m", "refunds", "accounts", "add", name, "--role", role, "--password-stdin")
    environment = running.product.services["refunds"].environment
    made = await asyncio.create_subprocess_exec(sys.executable, *words, env=environment, stdin=asyncio.subprocess.PIPE)
    await asyncio.wait_for(made.communicate(f"{PASSWORD}\n".encode()), 60)
    assert made.returncode == 0


async def sign_in(page: Page, running: Running, name: str) -> None:
    await page.goto(pages(running))
    await page.fill("#name", name)
    await page.fill("#password", PASSWORD)
    await page.driven.keyboard.press("Enter")
    await page.arrive("**/agents/queue*")


def pages(running: Running, path: str = "/agents") -> str:
    return f"http://127.0.0.1:{running.product.services['refunds'].environment['HTTP_PORT']}{path}"


async def test_an_agent_finds_an_order_by_e_mail_and_reads_its_whole_story(running: Running) -> None:
    order = await running.shop.buy("esimka")
    await running.judge.statuses([order], "delivered")
    notifications = running.product.services["notifications"]
    await account(running, "olga", "agent")
    async with browser() as page:
        await sign_in(page, running, "olga")
        await page.fill('[name="text"]', order.buyer.email)
        await page.driven.keyboard.press("Enter")
        await page.arrive(f"**/agents/orders/{order.id}")
        assert "not known now" not in await page.text()
        for section, shown in {
            "buyer": order.buyer.email,
            "timeline": "was delivered",
            "payments": "Paid in",
            "profile": "ICCID",
            "sent": "qr: sent",
        }.items():
            assert shown in await page.text(f'[aria-labelledby="{section}"]'), section
        await look(page, "story")
        await page.driven.set_viewport_size({"width": 390, "height": 844})
        assert not await page.scrolls_sideways()
        await look(page, "story-narrow")
        await page.driven.set_viewport_size({"width": 1280, "height": 800})
        notifications.pause()
        try:
            await page.driven.reload()
            assert "not known now: notifications" in await page.text('[aria-labelledby="sent"]')
            assert order.buyer.email in await page.text('[aria-labelledby="buyer"]')
            await look(page, "story-unknown")
        finally:
            notifications.resume()


async def test_a_representative_has_data_exported_and_erased(running: Running) -> None:
    """PP 6.2: one records, a supervisor confirms, and ordering does what the page showed, in all services."""
    order = await running.shop.buy("esimka")
    await running.judge.statuses([order], "delivered")
    await account(running, "pavel", "agent")
    await account(running, "rita", "supervisor")
    async with browser() as page:
        await sign_in(page, running, "pavel")
        await page.goto(pages(running, f"/agents/orders/{order.id}"))
        await page.click("text=Somebody acts for the buyer")
        await page.fill("#r-name", "Marta Kanareika")
        await page.driven.select_option("#r-authority", "guardianship")
        await page.fill("#r-reference", "2026/18")
        await page.click("text=Record it")
        await page.arrive("**/agents/representations/*")
        path = page.driven.url
    async with browser() as page:
        await sign_in(page, running, "rita")
        await page.goto(path)
        await page.click('button[value="confirm"]')
        await page.wait("text=What can be done upon it")
        assert order.number in await page.text("#erase-then")
        await page.fill("#c-name", "Zhanar K.")
        await page.click("text=See what follows")
        await page.wait("text=The contact of this order would change")
        await page.click("role=button[name='Correct the contact']")
        await page.arrive("**#done")
        await page.click('button[aria-describedby="export-then"]')
        await page.wait("text=What we hold about the buyer")
        export = await page.text()
        for part in (order.buyer.email, "Zhanar K.", "Payments", "Provisioning", "guardianship"):
            assert part in export, part
        await page.goto(path)
        await page.click('button[aria-describedby="erase-then"]')
        await page.arrive("**#done")

        async def missing() -> str:
            await page.driven.reload()
            return "" if "deleted" in await page.text('[aria-labelledby="who"]') else "the name is still there"

        await until(missing)
        await page.goto(pages(running, f"/agents/orders/{order.id}"))
        assert "The buyer's data were erased" in await page.text('[aria-labelledby="buyer"]')
