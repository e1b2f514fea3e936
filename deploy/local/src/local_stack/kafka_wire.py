"""One ApiVersions round trip: the smallest proof that a broker answers, not merely listens."""

import asyncio
import struct

from local_stack.ports import LOOPBACK

API_VERSIONS_KEY = 18
TIMEOUT_SECONDS = 1.0
_CLIENT = b"local-stack"
_REQUEST = struct.pack(f">hhih{len(_CLIENT)}s", API_VERSIONS_KEY, 0, 1, len(_CLIENT), _CLIENT)
_RESPONSE = struct.Struct(">iih")  # size, correlation id, error code


async def answers(port: int) -> bool:
    """Whether a broker on this loopback port answers ApiVersions without an error, within a second."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await _round_trip(port)
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False


async def _round_trip(port: int) -> bool:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(struct.pack(">i", len(_REQUEST)) + _REQUEST)
        await writer.drain()
        _, correlation, error = _RESPONSE.unpack(await reader.readexactly(_RESPONSE.size))
        return bool(correlation == 1 and error == 0)
    finally:
        writer.close()
