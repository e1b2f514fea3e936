"""The browser that tests of pages use."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shared.testing import browser as subject

PAGE = b"""<!doctype html><html lang="en"><title>t</title>
<main><input id="name"><button onclick="say()">Greet</button><p id="out"></p></main>
<iframe id="inner" srcdoc="<b>inside</b>"></iframe>
<script>function say() { document.querySelector("#out").textContent = "Hello, " + name_(); }
function name_() { return document.querySelector("#name").value; }
console.error("told");</script></html>"""


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {len(PAGE)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + PAGE)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


@pytest.mark.infra
async def test_it_fills_clicks_reads_and_takes_pictures(tmp_path: Path) -> None:
    async with served() as url, subject.browser(400, 700) as page:
        assert await page.goto(url) == 200
        await page.fill("#name", "Aigerim")
        await page.click("text=Greet")
        assert await page.text("#out") == "Hello, Aigerim"
        assert await page.frame("#inner").locator("b").inner_text() == "inside"
        assert await page.evaluate("window.innerWidth") == 400
        assert not await page.scrolls_sideways()
        assert "told" in page.errors
        assert page.requests[0] == url
        await page.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")


def test_without_a_browser_it_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CHROMIUM", raising=False)
    monkeypatch.setattr(subject, "PLACES", ())
    with pytest.raises(subject.NoBrowserError, match="apt install chromium"):
        subject.chromium()
