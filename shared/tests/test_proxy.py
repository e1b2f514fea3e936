"""The proxy passes, cuts and swallows; what it cut can connect again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from shared.testing.proxy import Proxy

LOOPBACK = "127.0.0.1"


@asynccontextmanager
async def echo() -> AsyncIterator[Proxy]:
    """A proxy before a server that answers what it gets."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(line)
                await writer.drain()
        except ConnectionError:
            pass  # the proxy cut it
        finally:
            writer.close()

    server = await asyncio.start_server(serve, LOOPBACK, 0)
    proxy = Proxy(lambda: int(server.sockets[0].getsockname()[1]))
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
        server.close()


async def asked(proxy: Proxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection over which an answer has come."""
    reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
    writer.write(b"hello\n")
    assert await reader.readline() == b"hello\n"
    return reader, writer


async def test_a_cut_connection_is_reset_and_the_next_one_passes() -> None:
    async with echo() as proxy:
        reader, writer = await asked(proxy)
        assert proxy.cut() == 1
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
        writer.close()
        _, again = await asked(proxy)
        again.close()


async def test_a_half_open_connection_is_silent_until_its_client_leaves() -> None:
    async with echo() as proxy:
        reader, writer = await asked(proxy)
        proxy.half_open()
        writer.write(b"is anybody there\n")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await reader.readline()
        _, other = await asked(proxy)
        writer.close()
        other.close()
        async with asyncio.timeout(10):
            while proxy.connections:  # noqa: ASYNC110 - the proxy tells nobody
                await asyncio.sleep(0.01)


async def test_nobody_behind_it_is_a_cut_connection() -> None:
    proxy = Proxy(lambda: 1)
    await proxy.start()
    reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
    with pytest.raises(ConnectionResetError):
        await reader.readexactly(1)
    writer.close()
    await proxy.stop()


async def test_what_is_isolated_carries_nothing_until_it_is_back() -> None:
    async with echo() as proxy:
        _, before = await asked(proxy)
        proxy.isolate()
        reader, writer = await asyncio.open_connection(LOOPBACK, proxy.port)
        writer.write(b"hello\n")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await reader.readline()
        proxy.rejoin()
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(1)
        _, again = await asked(proxy)
        for one in (before, writer, again):
            one.close()
        async with asyncio.timeout(10):
            while proxy.connections:  # noqa: ASYNC110 - the proxy tells nobody
                await asyncio.sleep(0.01)
