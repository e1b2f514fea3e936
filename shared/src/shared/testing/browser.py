"""A real browser for tests of pages: the Chromium of this machine, driven over its own protocol.

    async with browser(width=390, height=844) as page:
        await page.goto("http://127.0.0.1:8000/pay")
        await page.fill("#name", "Aigerim")
        await page.click("text=Pay")
        assert "Thank you" in await page.text("main")

Selectors are Playwright's: CSS, `text=…`, `role=button[name="Pay"]`, and ` >> ` to go into something found;
`page.frame("iframe#bank")` is the same for a page inside the page.
"""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import ConsoleMessage, FrameLocator, Request, async_playwright
from playwright.async_api import Page as DrivenPage

from shared.testing.documents import Json

SECONDS = 15.0
"""How long any one step may take (a page that loads, an element that appears) before the test fails."""

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
"""The same names and places, in the same order, as in deploy/local/prerequisites."""


class NoBrowserError(Exception):
    """No Chromium on this machine; the message says how to install one."""


def chromium() -> str:
    """The program: `CHROMIUM`, or the first of the usual names. Raises NoBrowserError when there is none."""
    for candidate in (os.environ.get("CHROMIUM"), *map(shutil.which, NAMES), *PLACES):
        if candidate and Path(candidate).is_file():
            return candidate
    raise NoBrowserError(
        "Missing: Chromium, which the tests of pages drive. Install with: apt install chromium (Debian), "
        "snap install chromium (Ubuntu) or brew install chromium (macOS); "
        "or name a program in the variable CHROMIUM."
    )


@dataclass
class Page:
    """One tab of a new browser without cookies. Each step waits for its element, for SECONDS at most."""

    driven: DrivenPage
    errors: list[str] = field(default_factory=list)
    """Errors that the page's scripts raised or wrote to the console."""
    requests: list[str] = field(default_factory=list)
    """The addresses of all requests of the browser, in order, including the pages themselves."""

    @property
    def url(self) -> str:
        return self.driven.url

    async def goto(self, url: str) -> int:
        """Open an address and wait until it has loaded. Returns the HTTP status."""
        response = await self.driven.goto(url)
        return response.status if response is not None else 0

    async def fill(self, selector: str, text: str) -> None:
        """Replace the content of a field."""
        await self.driven.fill(selector, text)

    async def select(self, selector: str, value: str) -> None:
        """Choose an option of a list by its value or label."""
        await self.driven.select_option(selector, value)

    async def click(self, selector: str) -> None:
        await self.driven.click(selector)

    async def wait(self, selector: str) -> None:
        """Wait until an element is visible."""
        await self.driven.wait_for_selector(selector)

    async def arrive(self, url: str) -> None:
        """Wait until the tab is at an address; `*` stands for anything but a slash, `**` for anything."""
        await self.driven.wait_for_url(url)

    async def text(self, selector: str = "body") -> str:
        """The visible text."""
        return await self.driven.inner_text(selector)

    async def html(self) -> str:
        return await self.driven.content()

    async def evaluate(self, script: str) -> Json:
        """The value of a JavaScript expression on the page."""
        return await self.driven.evaluate(script)

    async def scrolls_sideways(self) -> bool:
        """Whether the page is wider than the window, which is a fault on a telephone."""
        return bool(await self.evaluate("document.documentElement.scrollWidth > window.innerWidth"))

    def frame(self, selector: str) -> FrameLocator:
        """A frame of the page; `.locator(selector)` searches in it, then `.fill`, `.click`, `.inner_text`."""
        return self.driven.frame_locator(selector)

    async def screenshot(self, path: Path) -> None:
        """A picture of the whole page, as PNG."""
        await self.driven.screenshot(path=path, full_page=True)


@asynccontextmanager
async def browser(width: int = 1280, height: int = 800, *, language: str = "en") -> AsyncIterator[Page]:
    """A new headless browser with one empty tab; it ends with the block.

    `width` and `height` are the window's, in CSS pixels. Costs about a second.

    Raises NoBrowserError when this machine has no Chromium.
    """
    program = chromium()
    # A browser run by root refuses to start with its own sandbox; the pages opened are ours. Background work
    # (updates, field trials) is off: a test's browser asks for nothing but what the test opens.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=program, args=[*arguments, "--disable-dev-shm-usage"], timeout=60_000
        )
        try:
            context = await started.new_context(viewport={"width": width, "height": height}, locale=language)
            context.set_default_timeout(SECONDS * 1000)
            page = Page(await context.new_page())
            _listen(page)
            yield page
        finally:
            await started.close()


def _listen(page: Page) -> None:
    def console(message: ConsoleMessage) -> None:
        if message.type == "error":
            page.errors.append(message.text)

    def request(sent: Request) -> None:
        page.requests.append(sent.url)

    page.driven.on("console", console)
    page.driven.on("pageerror", lambda error: page.errors.append(str(error)))
    page.driven.on("request", request)
