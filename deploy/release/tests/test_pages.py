"""The pages of the interfaces, opened in a real browser that is told of nothing but this machine."""

from collections.abc import AsyncIterator

import pytest

from access.services import built
from shared.kernel.http import HttpServer
from shared.testing.browser import Page, browser


@pytest.fixture
async def site() -> AsyncIterator[str]:
    """Ordering's HTTP side, alone: the pages need nothing else."""
    server = HttpServer((await built())["ordering"].app, "127.0.0.1", 0)
    await server.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        await server.stop()


@pytest.fixture
async def page(site: str) -> AsyncIterator[Page]:
    async with browser(width=1280, height=900) as opened:
        yield opened
        assert opened.errors == []
        assert [address for address in opened.requests if not address.startswith((site, "data:"))] == []


async def test_a_storefronts_engineer_reads_how_to_order(site: str, page: Page) -> None:
    await page.goto(f"{site}/docs")
    await page.click("text=Place an order.")
    shown = await page.text("body")
    for words in ("Idempotency-Key", "019aa5b0-2f10-7c44-9d5e-3f7a2b10c5d8", "application/problem+json", "storefront"):
        assert words.lower() in shown.lower(), words
    await page.click("text=Events")
    assert page.url == f"{site}/asyncapi"


async def test_events_are_shown_with_their_fields(site: str, page: Page) -> None:
    await page.goto(f"{site}/asyncapi")
    shown = await page.text("body")
    for words in ("ordering.order-placed", "payments.order-paid", "BuyerContactErased", "offer_version", "compact"):
        assert words in shown, words
    await page.click("nav >> text=HTTP")
    assert page.url == f"{site}/docs"
