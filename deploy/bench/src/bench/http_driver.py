"""Posts orders over a few connections that stay open, with as little processor time of its own as it can."""

import asyncio
import time
from collections.abc import Iterator, Sequence

from bench.driver import Delivery

CONNECTIONS = 16
_CREATED = b"201"


def request(key: str, body: bytes, *, token: str = "") -> bytes:
    """One `POST /orders`. With the key of a shop where there is a `token`."""
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    head = f"POST /orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nIdempotency-Key: {key}\r\n"
    return f"{head}{authorization}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def flood(port: int, requests: Sequence[bytes]) -> float:
    """Every connection sends its next request when the last one is answered. Returns the seconds until all are."""
    rest = iter(requests)
    began = time.perf_counter()
    await asyncio.gather(*(_one_after_the_other(port, rest) for _ in range(CONNECTIONS)))
    return time.perf_counter() - began


async def paced(port: int, requests: Sequence[bytes], per_second: float) -> list[Delivery]:
    """At a steady rate; a request that finds no free connection waits, and its time runs."""
    began = time.perf_counter() + 0.05
    due = iter([(began + number / per_second, data) for number, data in enumerate(requests)])
    deliveries: list[Delivery] = []

    async def connection() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for moment, data in due:
            await asyncio.sleep(max(0.0, moment - time.perf_counter()))
            await _exchange(reader, writer, data)
            deliveries.append(Delivery(moment, time.perf_counter()))
        writer.close()

    await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    return sorted(deliveries, key=lambda delivery: delivery.due)


async def _one_after_the_other(port: int, requests: Iterator[bytes]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for data in requests:
        await _exchange(reader, writer, data)
    writer.close()


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, data: bytes) -> None:
    """Send a request and read its answer. Raises ConnectionError where the order was not accepted."""
    writer.write(data)
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    body = await reader.readexactly(length)
    if head.split(b" ", 2)[1] != _CREATED:
        raise ConnectionError(f"{head[:40]!r} {body[:500]!r}")
