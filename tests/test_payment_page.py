"""The buyer pays in a real browser, on the bank's page: no card data comes to us, nor could it (PO 4.2, 8.2)."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from product.harness import Running
from product.privacy import leaks, published, stored
from sandbox.storefront import INSUFFICIENT_FUNDS, SUCCESS, Card
from shared.testing.browser import Page, browser

ROOT = Path(__file__).parents[1]
#: What a program that handles cards would have to name.
CARD_WORDS = re.compile(
    r"\b(pan|cvc2?|cvv2?|card_?(number|mask|holder|id)|exp(iry|iration)?_?(date|month|year))\b", re.IGNORECASE
)


def ways_to_write(card: Card) -> list[str]:
    """The number as it may turn up: typed, bare, masked as the bank masks it, and its last digits."""
    digits = card.number
    parts = [digits[at : at + 4] for at in range(0, 16, 4)]
    return [digits, " ".join(parts), "-".join(parts), f"{digits[:6]}...{digits[-4:]}", digits[:12]]


async def pay(page: Page, address: str, card: Card) -> None:
    """From the shop's page to the bank's and back."""
    await page.goto(address)
    await page.click("#buy")
    await page.arrive("**/epay/payform/page")
    await page.fill("#number", " ".join(re.findall("....", card.number)))
    await page.fill("#exp", card.exp)
    await page.fill("#cvc", card.cvc)
    await page.fill("#name", card.name)
    await page.click("#pay")


async def test_the_buyer_pays_in_a_browser_and_no_card_data_comes_to_us(running: Running) -> None:
    sandbox, shop = running.sandbox, running.shop
    order = await shop.place("qazaq-esim")
    back = f"{sandbox.http_url}/shop/{order.number}"
    links = {"back_link": f"{back}/thanks", "failure_back_link": f"{back}/declined"}

    async with browser(width=390, height=844) as page:
        for card, end in ((INSUFFICIENT_FUNDS, "declined"), (SUCCESS, "thanks")):
            payment = await shop.page(order, **links)
            address = await sandbox.shop_page(order.number, payment, "Turkey 5 GB", "4,990.00 KZT")
            await pay(page, address, card)
            await page.arrive(f"**/{end}")
            assert not await page.scrolls_sideways()
            if end == "declined":
                await running.judge.statuses([order], "payment_failed")
        assert "Thank you" in await page.text("h1")
        assert page.errors == []
        asked = {urlsplit(url).netloc for url in page.requests}

    # The browser spoke with the shop and the bank only, and what the bank sent us about the card went nowhere.
    assert asked == {urlsplit(sandbox.http_url).netloc}
    await running.judge.delivered([order])
    numbers = [text for card in (INSUFFICIENT_FUNDS, SUCCESS) for text in ways_to_write(card)]
    assert leaks(running.product, numbers) == []
    assert await stored(running.product, numbers) == []
    assert await published(running.product, numbers) == []


def test_no_code_of_ours_knows_what_a_card_is() -> None:
    sources = [path for part in ("services", "shared") for path in (ROOT / part).glob("**/src/**/*") if path.is_file()]
    texts = {path: path.read_text() for path in sources if path.suffix in {".py", ".json", ".toml", ".j2", ".html"}}
    assert len(texts) > 100
    assert {str(path): found[0] for path, text in texts.items() if (found := CARD_WORDS.search(text))} == {}
