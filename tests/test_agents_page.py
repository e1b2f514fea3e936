"""The agents' page beside the whole product: an order is found by its buyer's e-mail, and its story is on one page.

A service that does not answer is shown as not known, never as nothing.
"""

import asyncio
import os
import sys
from pathlib import Path

from product.harness import Running
from shared.testing.browser import Page, browser

#: Where to put pictures of the pages, for whoever wants to look at them.
SHOTS = os.environ.get("PAGE_PICTURES")
PASSWORD = "correct horse battery"


async def look(page: Page, name: str) -> None:
    if SHOTS is not None:
        await page.screenshot(Path(SHOTS) / f"{name}.png")


async def test_an_agent_finds_an_order_by_e_mail_and_reads_its_whole_story(running: Running) -> None:
    order = await running.shop.buy("esimka")
    await running.judge.statuses([order], "delivered")
    refunds, notifications = (running.product.services[name] for name in ("refunds", "notifications"))
    words = ("-m", "refunds", "accounts", "add", "olga", "--role", "agent", "--password-stdin")
    made = await asyncio.create_subprocess_exec(
        sys.executable, *words, env=refunds.environment, stdin=asyncio.subprocess.PIPE
    )
    await asyncio.wait_for(made.communicate(f"{PASSWORD}\n".encode()), 60)
    assert made.returncode == 0
    async with browser() as page:
        await page.goto(f"http://127.0.0.1:{refunds.environment['HTTP_PORT']}/agents")
        await page.fill("#name", "olga")
        await page.fill("#password", PASSWORD)
        await page.driven.keyboard.press("Enter")
        await page.arrive("**/agents/queue*")
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
