"""Servers of a test that talk line by line, as a mail server does, until either side has enough."""

import asyncio
from collections.abc import Awaitable, Callable

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def until_hung_up(talk: Talk) -> Talk:
    """For `asyncio.start_server`: the client may break off at any time; the connection is closed in the end."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # the client has broken off
        finally:
            writer.close()

    return serve
