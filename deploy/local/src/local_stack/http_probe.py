"""One HTTP GET, for readiness probes."""

import asyncio

from local_stack.ports import LOOPBACK

TIMEOUT_SECONDS = 3.0
OK = b"200"


async def answers_ok(port: int, path: str) -> bool:
    """Whether a server on this loopback port answers GET `path` with 200 within three seconds."""
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            reader, writer = await asyncio.open_connection(LOOPBACK, port)
            try:
                writer.write(f"GET {path} HTTP/1.1\r\nHost: {LOOPBACK}:{port}\r\nConnection: close\r\n\r\n".encode())
                await writer.drain()
                status_line = (await reader.readline()).split()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return False
    return len(status_line) > 1 and status_line[1] == OK
