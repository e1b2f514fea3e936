"""Another service as pages see it, on a real socket."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from shared.testing.documents import Json


@dataclass
class StandIn:
    """A stand-in of another service: answers by the last part of the path; None hangs up.

    `heard` is called before each answer.
    """

    url: str = ""
    answers: dict[str, tuple[int, Json] | None] = field(default_factory=dict)
    asked: list[tuple[str, str, Json]] = field(default_factory=list)
    heard: Callable[[], object] = list

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
        method, path = head.split()[:2]
        body = await reader.readexactly(int(length[1]) if length else 0)
        is_json = "content-type: application/json" in head.lower()
        self.asked.append((f"{method} {path}", head.lower(), json.loads(body) if is_json else body or None))
        self.heard()
        response = self.answers.get(path.partition("?")[0].split("/")[1 if "confirmations" in path else -1])
        if response is not None:
            raw = response[1].encode() if isinstance(response[1], str) else json.dumps(response[1]).encode()
            kind = "application/problem+json" if response[0] >= 400 else "application/json"  # noqa: PLR2004 - refusals
            head = f"HTTP/1.1 {response[0]} X\r\ncontent-type: {kind}\r\ncontent-length: {len(raw)}\r\n"
            head += "connection: close\r\n\r\n"
            writer.write(head.encode() + raw)
            await writer.drain()
        writer.close()


@asynccontextmanager
async def standing_in() -> AsyncIterator[StandIn]:
    stand = StandIn()
    server = await asyncio.start_server(stand.answer, "127.0.0.1", 0)
    stand.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield stand
    finally:
        server.close()
        await server.wait_closed()
