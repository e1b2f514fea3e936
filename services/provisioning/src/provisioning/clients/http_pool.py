"""A pool of HTTP connections to one server, each with a client of its own.

An httpx client searches all of its connections at every request; with 64 of them that costs twice as much as the
request itself. Here a request takes the connection that was used last.
"""

import asyncio
import ssl
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import httpx

from shared.kernel.outbound import OutboundClient

_ONE = httpx.Limits(max_connections=1, max_keepalive_connections=1)


class HttpPool:
    """At most `connections` requests at a time; the others wait."""

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        timeout_seconds: float,
        connections: int,
        secure: ssl.SSLContext | None = None,
    ) -> None:
        self.base_url = base_url
        secure = secure or secure_context(None, None, None)
        self._all = [
            OutboundClient(
                seconds=timeout_seconds,
                whole_seconds=timeout_seconds,
                base_url=base_url,
                headers=headers,
                limits=_ONE,
                verify=secure,
            )
            for _ in range(connections)
        ]
        self._free: asyncio.LifoQueue[httpx.AsyncClient] = asyncio.LifoQueue()
        for client in self._all:
            self._free.put_nowait(client)

    async def request(
        self, method: str, path: str, *, json: Any = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        """One request. Raises httpx.HTTPError."""
        client = await self._free.get()
        try:
            return await client.request(method, path, json=json, headers=headers)
        finally:
            self._free.put_nowait(client)

    async def aclose(self) -> None:
        """Close the connections."""
        for client in self._all:
            await client.aclose()


@cache
def secure_context(certificate: Path | None, key: Path | None, authority: Path | None) -> ssl.SSLContext:
    """TLS with our certificate (mutual TLS) and this authority instead of the public ones. Made once: slow."""
    context = ssl.create_default_context(cafile=None if authority is None else str(authority))
    if certificate is not None:
        context.load_cert_chain(certificate, key)
    return context
