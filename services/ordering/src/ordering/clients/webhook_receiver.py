"""Sends webhooks to the servers of shops, which may be anything: slow, broken, or an address of our own network.

The host's addresses are resolved and checked, and the connection goes to a checked address, so an answer of DNS that
changes in between changes nothing. The certificate is checked against the host's name. Redirects are not followed.
"""

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from ordering.clients.public_addresses import Address, Network, is_in, is_public, parse
from shared.database import storable
from shared.kernel.outbound import NEVER_SENT, OutboundClient, time_limit

#: For one attempt: resolving, connecting, sending, and reading what is kept of the answer.
SECONDS = 10.0
#: Kept of an answer, for the shop's delivery log.
KEPT_BYTES = 1024
#: Read of an answer so that its connection can be used again; a longer answer costs the connection.
_READ_BYTES = 16 * 1024
#: Blocking calls of the system's resolver. A resolver that hangs holds a thread for up to half a minute.
_RESOLVERS = 64
#: A shop finds our requests in its logs by the agent's name.
_HEADERS = {"content-type": "application/json", "user-agent": "esim-fulfilment-webhooks/1"}
_PORTS = {"https": 443, "http": 80}

Failure = Literal[
    "impossible-url",
    "unresolved",
    "private-address",
    "insecure-url",
    "not-connected",
    "untrusted-certificate",
    "timeout",
    "broken-answer",
]
#: The addresses of a host and a port. Raises OSError. Blocking.
Resolve = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one attempt. `status` is None where no answer arrived; then `failure` says why.

    `text` is the first kilobyte of the body. `retry_after` is the header as it was sent.
    """

    latency_ms: int
    status: int | None = None
    text: str = ""
    failure: Failure | None = None
    retry_after: str | None = None


class NotAllowedError(Exception):
    """No connection is made: the host has no address that may be called."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure)
        self.failure: Failure = failure


def resolve_by_system(host: str, port: int) -> list[str]:
    """All addresses that the system's resolver has. Raises OSError; UnicodeError for an impossible name."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class WebhookReceiver:
    """`private_networks`: may be called although they are not public, and without TLS (development only)."""

    def __init__(
        self,
        *,
        private_networks: Sequence[Network] = (),
        resolve: Resolve = resolve_by_system,
        verify: ssl.SSLContext | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self._private = private_networks
        self._resolve = resolve
        self._verify = verify or httpx.create_ssl_context(trust_env=False)
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="resolve")

    @property
    def allows_private(self) -> bool:
        """Whether any private network, and with it a URL without TLS, is allowed."""
        return bool(self._private)

    async def check(self, url: str) -> Failure | None:
        """Whether this URL could be called now, without calling it. A host that cannot be resolved is `unresolved`."""
        try:
            target = httpx.URL(url)
        except (httpx.InvalidURL, ValueError):
            return "impossible-url"
        try:
            async with asyncio.timeout(self._seconds):
                await self._addresses(target)
        except NotAllowedError as error:
            return error.failure
        except TimeoutError:
            return "unresolved"
        return None

    @asynccontextmanager
    async def connect(self, url: str) -> AsyncIterator["Connection"]:
        """Requests to one URL. Its host is resolved and checked at the first one; `connect` again resolves again."""
        target = httpx.URL(url)
        # A client for one host only: connections are found again by address, which several hosts may share.
        client = OutboundClient(seconds=self._seconds, whole_seconds=self._seconds, verify=self._verify)
        connection = Connection(client, target, lambda: self._addresses(target), self._seconds)
        try:
            async with client:
                yield connection
        finally:
            connection.close()

    async def _addresses(self, url: httpx.URL) -> list[Address]:
        """The addresses to call. Raises NotAllowedError: one address that is not public refuses the host."""
        host, port = url.raw_host.decode("ascii"), url.port or _PORTS[url.scheme]
        try:
            # Not the event loop's own resolver: it has four threads for everything, and a name server may hang.
            loop = asyncio.get_running_loop()
            texts = await loop.run_in_executor(self._threads, self._resolve, host, port)
        except (OSError, UnicodeError):
            raise NotAllowedError("unresolved") from None
        addresses = [parse(text) for text in texts]
        if not addresses:
            raise NotAllowedError("unresolved")
        allowed = []
        for address in addresses:
            private = address is not None and is_in(address, self._private)
            if address is None or not (private or is_public(address)):
                raise NotAllowedError("private-address")
            if url.scheme != "https" and not private:
                raise NotAllowedError("insecure-url")
            allowed.append(address)
        return allowed

    async def close(self) -> None:
        """End the resolver's threads; one that hangs is left behind."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class Connection:
    """POSTs to one URL, over connections to checked addresses only."""

    def __init__(
        self,
        client: OutboundClient,
        url: httpx.URL,
        resolve: Callable[[], Coroutine[Any, Any, list[Address]]],
        seconds: float,
    ) -> None:
        self._client = client
        self._url = url
        self._resolve = resolve
        self._seconds = seconds
        self._resolving: asyncio.Task[list[Address]] | None = None

    async def post(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send one webhook; never raises. Everything together takes at most the receiver's `seconds`."""
        began = time.perf_counter()
        status, text, retry_after = None, "", None
        failure: Failure | None = None
        try:
            with time_limit(self._seconds):
                status, text, retry_after = await self._post(headers, body)
        except NotAllowedError as error:
            failure = error.failure
        except (TimeoutError, httpx.TimeoutException):
            failure = "timeout"
        except NEVER_SENT as error:
            failure = "untrusted-certificate" if _is_about_certificate(error) else "not-connected"
        except httpx.HTTPError:
            failure = "broken-answer"
        latency = round((time.perf_counter() - began) * 1000)
        return Answer(latency, status, text, failure, retry_after)

    async def _post(self, headers: Mapping[str, str], body: bytes) -> tuple[int, str, str | None]:
        """Try the addresses one after the other, as long as there is no connection. Raises httpx.HTTPError."""
        *others, last = await self._addresses()
        for address in others:
            try:
                return await self._post_to(address, headers, body)
            except NEVER_SENT:
                continue
        return await self._post_to(last, headers, body)

    async def _post_to(self, address: Address, headers: Mapping[str, str], body: bytes) -> tuple[int, str, str | None]:
        host = self._url.raw_host.decode("ascii")
        request = self._client.build_request(
            "POST",
            self._url.copy_with(host=str(address)),
            headers={**headers, **_HEADERS, "host": self._url.netloc.decode("ascii")},
            content=body,
            # The name in the TLS handshake, against which the certificate is checked.
            extensions={"sni_hostname": host},
        )
        response = await self._client.send(request, stream=True)
        try:
            return response.status_code, await _beginning(response), response.headers.get("retry-after")
        finally:
            await response.aclose()

    async def _addresses(self) -> list[Address]:
        if self._resolving is None:
            self._resolving = asyncio.create_task(self._resolve())
        # One request that is given up must not end it for the others.
        return await asyncio.shield(self._resolving)

    def close(self) -> None:
        """Give up resolving."""
        if self._resolving is not None:
            self._resolving.cancel()


async def _beginning(response: httpx.Response) -> str:
    """The first kilobyte of the body as text. The status counts, whatever the rest of the body is."""
    kept, length = b"", 0
    # The status has arrived and decides: of a body that breaks off, what came before is kept for the log.
    with contextlib.suppress(httpx.HTTPError):
        async for part in response.aiter_bytes():
            kept = (kept + part)[:KEPT_BYTES]
            length += len(part)
            if length > _READ_BYTES:
                break
    return storable(kept.decode("utf-8", "replace"))


def _is_about_certificate(error: BaseException | None) -> bool:
    """Whether httpx reports a certificate that is not trusted, which it calls a failed connection."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False
