"""A buyer's tab without a browser: pages are fetched over HTTP and their forms are sent, as a browser would send them.

It has the steps of `shared.testing.browser.Page` that the tour needs. Scripts do not run; where a page would follow
by itself, `wait` fetches it again.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urljoin

import httpx

from tour.expectations import UnmetError
from tour.html_tree import Element, parse

SECONDS = 30.0
_PAUSE_SECONDS = 0.3


class FormPage:
    """One tab: the page that was loaded last, and what has been filled in on it."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.errors: list[str] = []
        """Scripts do not run here, so none can fail."""
        self._client = client
        self._url = ""
        self._tree = Element("", {})
        self._filled: dict[str, str] = {}
        self._files: list[tuple[str, tuple[str | None, bytes]]] = []

    async def goto(self, url: str) -> int:
        """Load an address. Returns the HTTP status."""
        return self._loaded(await self._client.get(url))

    async def fill(self, selector: str, text: str) -> None:
        """Put a text into a field. Raises UnmetError where there is none."""
        self._filled[self._the(selector).attributes["name"]] = text

    async def attach(self, selector: str, name: str, content: bytes) -> None:
        """Choose a file for a field. Raises UnmetError where there is none."""
        self._files.append((self._the(selector).attributes["name"], (name, content)))

    async def click(self, selector: str) -> None:
        """Press a button that sends its form. Raises UnmetError where there is none."""
        button = self._the(selector)
        form = button.inside("form")
        if form is None:
            raise UnmetError(f"expected a form around “{selector}” at {self._url}")
        values = self._values(form)
        if "name" in button.attributes:
            values[button.attributes["name"]] = button.attributes.get("value", "")
        target = urljoin(self._url, form.attributes.get("action", ""))
        method = form.attributes.get("method", "get").upper()
        if form.attributes.get("enctype") == "multipart/form-data":
            parts = [*self._files, *((name, (None, value.encode())) for name, value in values.items())]
            response = await self._client.request(method, target, files=parts)
        else:
            response = await self._client.request(method, target, data=values)
        self._loaded(response)

    async def wait(self, selector: str) -> None:
        """Until the page has such an element. Raises UnmetError."""
        deadline = time.monotonic() + SECONDS
        while self._tree.find(selector) is None:
            if time.monotonic() > deadline:
                raise UnmetError(f"expected “{selector}” at {self._url}, but not within {SECONDS:.0f} s")
            await asyncio.sleep(_PAUSE_SECONDS)
            await self.goto(self._url)

    async def text(self, selector: str) -> str:
        """What a person can read there. Raises UnmetError where there is no such element."""
        return self._the(selector).text()

    async def screenshot(self, path: Path) -> None:
        """There is nothing to take a picture with."""

    async def scrolls_sideways(self) -> bool | None:
        """Unknown: nobody lays the page out here."""
        return None

    def _loaded(self, response: httpx.Response) -> int:
        self._url, self._tree, self._filled, self._files = str(response.url), parse(response.text), {}, []
        return response.status_code

    def _the(self, selector: str) -> Element:
        found = self._tree.find(selector)
        if found is None:
            raise UnmetError(f"expected “{selector}” at {self._url}", "notifications")
        return found

    def _values(self, form: Element) -> dict[str, str]:
        values = {}
        for element in form.all():
            name = element.attributes.get("name")
            if element.attributes.get("type") == "file":
                continue
            if name is not None and (read := _FIELDS.get(element.tag)):
                values[name] = self._filled.get(name, read(element))
        return values


def _chosen(select: Element) -> str:
    options = [one for one in select.all() if one.tag == "option"]
    selected = next((one for one in options if "selected" in one.attributes), options[0] if options else None)
    return "" if selected is None else selected.attributes.get("value", selected.text())


#: How to read what a field holds before anybody fills it in.
_FIELDS: dict[str, Callable[[Element], str]] = {
    "input": lambda field: field.attributes.get("value", ""),
    "textarea": lambda field: field.text(),
    "select": _chosen,
}


@asynccontextmanager
async def forms() -> AsyncIterator[FormPage]:
    """A new tab without cookies; it ends with the block."""
    async with httpx.AsyncClient(trust_env=False, follow_redirects=True, timeout=15) as client:
        yield FormPage(client)
