"""A client that is slow, endless or malformed is refused, and the others are served meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import Request

from shared.kernel.connections import MAX_HEAD_BYTES, MAX_HEADERS, BoundedProtocol
from shared.kernel.http import HttpServer, new_app
from shared.telemetry.tracing import Tracing

SHORT = 0.3


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """A server whose patience is a third of a second."""
    monkeypatch.setattr(BoundedProtocol, "head_seconds", SHORT)
    monkeypatch.setattr(BoundedProtocol, "body_seconds", SHORT)
    app = new_app("test", Tracing("test"))

    @app.post("/echo")
    async def echo(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    server = HttpServer(app, "127.0.0.1", 0)
    await server.start()
    yield server.port
    await server.stop()


async def answer(port: int, *parts: bytes, pause: float = 0.0) -> bytes:
    """What comes back until the server closes the connection; each part is sent when the last one has gone."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            try:
                await writer.drain()
            except ConnectionError:
                break
            await asyncio.sleep(pause)
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionError:
        return b"reset"
    finally:
        writer.close()


@pytest.mark.parametrize(
    "part",
    [b"POST /ec", b"POST /echo HTTP/1.1\r\n", b"POST /echo HTTP/1.1\r\nhost: x\r\nx-half: y"],
    ids=["half a line", "no headers", "half a header"],
)
async def test_half_a_head_is_waited_for_only_so_long(port: int, part: bytes) -> None:
    started = time.monotonic()
    found = await answer(port, part)
    assert found.startswith(b"HTTP/1.1 408 Request Timeout\r\n"), found
    assert b"application/problem+json" in found
    assert time.monotonic() - started < 5


async def test_a_head_that_drips_is_not_waited_for_longer(port: int) -> None:
    drops = [b"x-%d: y\r\n" % number for number in range(20)]
    found = await answer(port, b"POST /echo HTTP/1.1\r\nhost: x\r\n", *drops, pause=SHORT / 5)
    assert found == b"reset" or found.startswith(b"HTTP/1.1 408")


async def test_a_connection_that_says_nothing_is_closed(port: int) -> None:
    assert await answer(port) == b""


async def test_half_a_body_is_waited_for_only_so_long(port: int) -> None:
    found = await answer(port, b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf")
    assert found.startswith(b"HTTP/1.1 408"), found
    assert b"request-too-slow" in found


_BODY = b"POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 4\r\n\r\n"


@pytest.mark.parametrize(
    ("enough", "most_seconds", "parts", "wanted"),
    [
        (0, 60.0, [b"x"] * 4, b"HTTP/1.1 200"),
        (0, 2.5 * SHORT, [b"x"], b"HTTP/1.1 408"),
        (3, 60.0, [b"xxx"], b"HTTP/1.1 408"),
    ],
    ids=["arrives", "without an end", "stops"],
)
async def test_a_body_is_waited_for_as_long_as_it_arrives(
    port: int, monkeypatch: pytest.MonkeyPatch, enough: int, most_seconds: float, parts: list[bytes], wanted: bytes
) -> None:
    monkeypatch.setattr(BoundedProtocol, "body_bytes", enough)
    monkeypatch.setattr(BoundedProtocol, "max_body_seconds", most_seconds)
    started = time.monotonic()
    found = await answer(port, _BODY, *parts, pause=SHORT / 2)
    assert found.startswith(wanted), found
    assert time.monotonic() - started > 1.9 * SHORT


@pytest.mark.parametrize(
    "head",
    [
        b"x-long: " + b"y" * (MAX_HEAD_BYTES + 1) + b"\r\n",
        b"".join(b"x-%d: %s\r\n" % (number, b"y" * 1000) for number in range(60)),
        b"".join(b"x-%d: y\r\n" % number for number in range(MAX_HEADERS + 1)),
    ],
    ids=["one long line", "too many bytes", "too many lines"],
)
async def test_a_large_head_is_refused(port: int, head: bytes) -> None:
    found = await answer(port, b"POST /echo HTTP/1.1\r\nhost: x\r\n" + head + b"\r\n")
    assert found.startswith(b"HTTP/1.1 431 "), found[:100]
    assert found.count(b"HTTP/1.1") == 1


async def test_a_head_without_an_end_is_not_kept(port: int) -> None:
    megabyte = b"y" * 1_000_000
    found = await answer(port, b"POST /echo HTTP/1.1\r\nhost: x\r\nx-endless: ", *[megabyte] * 150)
    assert found == b"reset" or found.startswith(b"HTTP/1.1 431")


async def test_good_requests_are_served_amid_slow_ones(port: int) -> None:
    slow = [asyncio.create_task(answer(port, b"POST /echo HTTP/1.1\r\nhost: x\r\n")) for _ in range(100)]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        for size in (0, 1, 200_000):
            assert (await client.post("/echo", content=b"x" * size)).json() == {"bytes": size}
            await asyncio.sleep(SHORT * 1.5)  # longer than a head may take: a kept connection may rest between two
        pair = b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\n\r\nx" * 2
        both = await answer(port, pair + b"POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        assert both.count(b"200 OK") == 3, both
    assert {found[:12] for found in await asyncio.gather(*slow)} == {b"HTTP/1.1 408"}
