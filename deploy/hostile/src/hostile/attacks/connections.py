"""Raw TCP: heads and bodies that never end, or are no HTTP."""

import asyncio

from hostile.context import Context

#: Longer than a service waits for a head or a body.
_PATIENCE_SECONDS = 45.0
_LINES = (
    b"",
    b"GET",
    b"GET / HTTP/1.1\r\n",
    b"POST /orders HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf",
    b"POST /orders HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
    b"POST /orders HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    b"GET / HTTP/1.1\r\nhost: x\r\n" + b"x-many: y\r\n" * 2_000 + b"\r\n",
    b"GET /%00%ff HTTP/1.1\r\nhost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"\x00" * 10_000,
)


async def raw(context: Context) -> None:
    """One connection that says something odd; it must be closed by the service, in its own time."""
    service = context.rng.choice(context.target.services)
    line = context.rng.choice(_LINES)
    port = context.target.site.ports[service]
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError as error:
        context.findings.found("a raw connection", "refused", line, f"{service}: {error!r}")
        return
    try:
        writer.write(line)
        async with asyncio.timeout(_PATIENCE_SECONDS):
            answer = await reader.read()
        context.findings.answered("a raw connection", answer[9:12].decode("ascii", "replace") or "closed")
    except TimeoutError:
        context.findings.found("a raw connection", "kept open", line, f"{service}: for {_PATIENCE_SECONDS:.0f} s")
    except OSError:
        context.findings.answered("a raw connection", "reset")
    finally:
        writer.close()
