"""Answers that a server of another company may give us, good and hostile: a call ends, and its answer fits."""

import ast
import asyncio
import gzip
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from itertools import repeat
from pathlib import Path

import httpx
import pytest
import uvloop

from shared.kernel.outbound import OutboundClient, read_json

MOST = 100_000
SECONDS = 0.5
HEAD = b"HTTP/1.1 200 OK\r\nconnection: close\r\n"
BOMB = gzip.compress(b"\0" * 50_000_000)


def sized(body: bytes, *headers: bytes) -> bytes:
    lines = b"".join(header + b"\r\n" for header in headers)
    return HEAD + lines + b"content-length: %d\r\n\r\n" % len(body) + body


@asynccontextmanager
async def answering(parts: Iterable[bytes], pause: float = 0) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(pause)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has had enough
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"


async def asked(url: str) -> httpx.Response:
    client = OutboundClient(seconds=SECONDS, most_bytes=MOST)
    try:
        return await client.get(url)
    finally:
        await client.aclose()


class Endless(Iterable[bytes]):
    """A head, then the same part for ever."""

    def __init__(self, head: bytes, part: bytes) -> None:
        self.head, self.part = head, part

    def __iter__(self) -> Iterator[bytes]:
        yield self.head
        yield from repeat(self.part)


HOSTILE: dict[str, tuple[Iterable[bytes], float]] = {
    "200 MB, as it says": (Endless(HEAD + b"content-length: 200000000\r\n\r\n", b"x" * 65_536), 0),
    "no end": (Endless(HEAD + b"\r\n", b"x" * 65_536), 0),
    "no end, in chunks": (
        Endless(HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1000\r\n" + b"x" * 4096 + b"\r\n"),
        0,
    ),
    "a byte now and then": (Endless(HEAD + b"content-length: 1000\r\n\r\n", b"x"), SECONDS / 5),
    "a head that never ends": (Endless(HEAD, b"x-more: y\r\n"), SECONDS / 5),
    "nothing": ([b""], 10 * SECONDS),
    "1xx for ever": (Endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"), SECONDS / 5),
    "a bomb": ([sized(BOMB, b"content-encoding: gzip")], 0),
    "a bomb in a bomb": ([sized(gzip.compress(BOMB), b"content-encoding: gzip, gzip")], 0),
    "packed, and cut": ([sized(gzip.compress(b"{}")[:-4], b"content-encoding: gzip")], 0),
    "packed in an unknown way": ([sized(b"{}", b"content-encoding: br")], 0),
    "not packed": ([sized(b"{}", b"content-encoding: gzip")], 0),
    "elsewhere, to an impossible host": (
        [b"HTTP/1.1 302 Found\r\nlocation: http://xn--/\r\ncontent-length: 0\r\n\r\n"],
        0,
    ),
    "no HTTP": ([b"\x16\x03\x01\x02\x00 hello\r\n\r\n"], 0),
    "a status that is none": ([b"HTTP/1.1 99999 Odd\r\n\r\n"], 0),
    "two lengths": ([HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}"], 0),
    "bytes in a header": ([HEAD + b"x\x00y: \xff\r\ncontent-length: 2\r\n\r\n{}"], 0),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_answer_is_an_error_of_httpx_in_time(name: str) -> None:
    parts, pause = HOSTILE[name]
    async with answering(parts, pause) as url:
        began = time.monotonic()
        with pytest.raises(httpx.HTTPError):
            await asked(url)
        took = time.monotonic() - began  # without the server's end, which waits for its handler from Python 3.12 on
    assert took < 10 * SECONDS


@pytest.mark.parametrize("steps", range(16))
def test_a_connection_can_be_used_again_after_the_process_stood_still(steps: int) -> None:
    """Where two limits of time expire at the same moment, httpcore was interrupted while it gave up the connection.

    A client with a single connection was never answered again. The process stands still `steps` turns of the event loop
    after the call began: under uvloop, as in the services, 7 hit that moment.
    """
    body = sized(b"{}").replace(b"connection: close\r\n", b"")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(body)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has hung up
        finally:
            writer.close()

    async def main() -> list[int]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        one = httpx.Limits(max_connections=1, max_keepalive_connections=1)
        async with OutboundClient(seconds=limit, whole_seconds=limit, limits=one) as client:
            try:
                call = asyncio.gather(client.get(url), return_exceptions=True)
                for _ in range(steps):
                    await asyncio.sleep(0)
                time.sleep(limit * 1.05)  # noqa: ASYNC251 - the process stands still
                await call
                await asyncio.sleep(0)  # what was given up is closed
                return [(await client.get(url, timeout=60)).status_code for _ in range(2)]
            finally:
                server.close()  # uvloop would wait for it for ever

    limit = 0.1
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()) == [200, 200]


@pytest.mark.parametrize(
    "answer",
    [
        sized(b'{"a": 1}'),
        sized(gzip.compress(b'{"a": 1}'), b"content-encoding: gzip"),
        sized(gzip.compress(b'{"a": 1}'), b"content-encoding: GZIP", b"content-type: text/html"),
        HEAD + b"transfer-encoding: chunked\r\n\r\n8\r\n" + b'{"a": 1}\r\n0\r\n\r\n',
    ],
)
async def test_a_good_answer_is_read(answer: bytes) -> None:
    async with answering([answer]) as url:
        assert read_json(await asked(url)) == {"a": 1}


async def test_the_largest_answer_fits_packed_or_not() -> None:
    whole = b"x" * MOST
    for answer in (sized(whole), sized(gzip.compress(whole), b"content-encoding: gzip")):
        async with answering([answer]) as url:
            assert (await asked(url)).content == whole


async def test_an_answer_without_a_body_may_name_an_encoding() -> None:
    async with answering([b"HTTP/1.1 204 No Content\r\ncontent-encoding: gzip\r\n\r\n"]) as url:
        assert (await asked(url)).status_code == httpx.codes.NO_CONTENT


async def test_a_redirect_is_not_followed() -> None:
    async with answering([b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n"]) as url:
        assert (await asked(url)).status_code == httpx.codes.FOUND


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[" * 200_000, b'{"a": 1' + b"0" * 5000 + b"}"])
def test_what_is_no_json_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its class is all that callers look at
        read_json(httpx.Response(200, content=body))


def test_the_product_asks_others_with_this_client_only() -> None:
    root = Path(__file__).parents[2]
    sources = [*root.glob("services/*/src/**/*.py"), *root.glob("shared/src/**/*.py")]
    sources += root.glob("deploy/operations/src/**/*.py")
    wrong = {"AsyncClient", "Client", "get", "post", "put", "delete", "request", "stream"}
    found = [
        f"{path.relative_to(root)}:{node.lineno}"
        for path in sources
        if "testing" not in path.parts
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in wrong
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "httpx"
    ]
    assert len(sources) > 100
    assert not found, "OutboundClient of shared.kernel.outbound limits what comes back"
