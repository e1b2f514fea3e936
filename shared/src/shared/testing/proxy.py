"""A small TCP proxy: connections pass until they are cut, or stay open and carry nothing (half open)."""

import asyncio
import random
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

_CHUNK = 65_536
_LOOPBACK = "127.0.0.1"


@dataclass(eq=False)
class _Connection:
    """A client's connection and the one behind it. What is sent over one that does not flow is lost."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    flows: bool = True

    def abort(self) -> None:
        """Reset both: what was on its way is lost, and both sides get an error."""
        for side in (self.client, self.server):
            _reset(side)


class Proxy:
    """`port` is known after `start`. `target` returns the port behind it, each time somebody connects."""

    def __init__(self, target: Callable[[], int]) -> None:
        self.port = 0
        self._target = target
        self._server: asyncio.Server | None = None
        self._isolated = False
        self._open: set[_Connection] = set()

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._connected, _LOOPBACK, 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Cut everything, listen no more."""
        if self._server is not None:
            self._server.close()
            self.cut()
            await self._server.wait_closed()

    @property
    def connections(self) -> int:
        """How many pass now."""
        return len(self._open)

    def cut(self, share: float = 1.0, rng: random.Random | None = None) -> int:
        """Reset this share of the connections. Returns how many."""
        chosen = [one for one in list(self._open) if rng is None or rng.random() < share]
        for connection in chosen:
            connection.abort()
        return len(chosen)

    def half_open(self) -> None:
        """Carry nothing more over the connections that there are, until a side closes them; new ones pass."""
        for connection in self._open:
            connection.flows = False

    def isolate(self) -> None:
        """Carry nothing more, over new connections neither, until `rejoin`: what stands behind is cut off."""
        self._isolated = True
        self.half_open()

    def rejoin(self) -> None:
        """Let new connections pass again. Those that were opened meanwhile end."""
        self._isolated = False
        self.cut()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            behind, server = await asyncio.open_connection(_LOOPBACK, self._target())
        except OSError:
            _reset(writer)
            return
        connection = _Connection(writer, server, flows=not self._isolated)
        self._open.add(connection)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_carry(reader, server, connection))
                group.create_task(_carry(behind, writer, connection))
        except* OSError:
            pass  # one of the two sides was cut
        finally:
            connection.abort()
            self._open.discard(connection)


def _reset(side: asyncio.StreamWriter) -> None:
    with suppress(OSError, RuntimeError):  # it may be closed
        # Closed at once and unsent, which TCP shows the other side by RST.
        side.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        side.transport.abort()


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter, connection: _Connection) -> None:
    while chunk := await source.read(_CHUNK):
        if connection.flows:
            sink.write(chunk)
            await sink.drain()
    if not connection.flows:
        connection.abort()
        return
    with suppress(OSError):
        sink.write_eof()
