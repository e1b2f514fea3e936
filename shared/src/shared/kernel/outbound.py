"""The HTTP client for calls to other systems: limits the time of a call and the size of a response.

httpx limits each read, but not a response as a whole. Here a response has a maximum size, compressed and decompressed,
and a call a maximum time. Every error that a response causes in httpx (for example a redirect to an impossible host) is
an httpx.HTTPError, which every caller expects. Callers parse the bytes: `read_json` raises ValueError only.
"""

import json
import ssl
import zlib
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from typing import Any, cast

import anyio
import httpx

from shared.attempts import lease, require_lease
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
#: Far above any response of a bank, an operator or a messenger; far below what would exhaust memory.
MOST_BYTES = 2 * 1024 * 1024
#: zlib's window, with a header of gzip or of zlib.
_ANY_HEADER = zlib.MAX_WBITS | 32
#: Raised before the first byte of a request is sent: the other side cannot have acted.
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
_PACKED = {"gzip", "x-gzip", "deflate"}


class OutboundClient(httpx.AsyncClient):
    """`seconds`: for connecting, and between two reads. `whole_seconds`: for a whole call; by default twice as long.

    The default gives httpx time to report that there was no connection, and thus that nothing was sent. `timeout` of a
    single request replaces both. `most_bytes`: of a response's body, decompressed.
    """

    def __init__(
        self,
        *,
        seconds: float,
        whole_seconds: float | None = None,
        most_bytes: int = MOST_BYTES,
        limits: httpx.Limits | None = None,
        verify: ssl.SSLContext | bool = True,
        **options: Any,
    ) -> None:
        self._whole_factor = (whole_seconds or 2 * seconds) / seconds
        options["headers"] = {"accept-encoding": "gzip", **options.get("headers", {})}
        network = httpx.AsyncHTTPTransport(
            verify=verify,
            trust_env=False,
            limits=limits or httpx.Limits(max_connections=100, max_keepalive_connections=20),
        )
        transport = _Limited(options.pop("transport", network), most_bytes)
        super().__init__(transport=transport, timeout=seconds, trust_env=False, follow_redirects=False, **options)

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """As httpx's `send`; raises httpx.HTTPError, and LeaseLostError within an attempt at a task."""
        if lease.get() is not None:
            request.extensions["trace"] = _before_sending
        silence = request.extensions.get("timeout", {}).get("read") or self.timeout.read
        whole = None if silence is None else silence * self._whole_factor
        try:
            with time_limit(whole):
                return await super().send(request, **options)
        except TimeoutError:
            raise httpx.ReadTimeout(f"no whole answer within {whole} s", request=request) from None
        except (ValueError, httpx.InvalidURL) as error:
            # idna and codecs raise these for text in a header, and httpx does not convert them.
            raise httpx.RemoteProtocolError(f"an impossible answer: {type(error).__name__}", request=request) from None


async def _before_sending(step: str, _: object) -> None:
    """The `trace` of httpcore, called at each step. A check before the wait for a connection would be too early."""
    if step.endswith(".send_request_headers.started"):
        await require_lease()


def time_limit(seconds: float | None) -> AbstractContextManager[object]:
    """Limits the time of everything inside, which may be calls of httpx. Raises TimeoutError.

    `asyncio.timeout` does not serve here: where httpx's own timeout expires at the same moment (as after a pause of the
    process), it interrupts httpcore while that gives up the connection, which is then in use for ever. anyio's limit
    respects the part that httpcore shields.
    """
    return anyio.fail_after(seconds)


def read_json(response: httpx.Response) -> Any:
    """The JSON value of a response. Raises ValueError only, where there is none."""
    try:
        return json.loads(response.content)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_object(response: httpx.Response) -> dict[str, Any]:
    """The JSON object of a response; empty where there is none."""
    try:
        value = read_json(response)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


class _Limited(httpx.AsyncBaseTransport):
    """Limits the bodies of responses."""

    def __init__(self, inner: httpx.AsyncBaseTransport, most_bytes: int) -> None:
        self._inner = inner
        self._most = most_bytes

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        packing = response.headers.get("content-encoding", "").strip().lower()
        if packing not in {"", "identity"}:
            # httpx would decompress it completely, whatever its size.
            del response.headers["content-encoding"]
        stream = cast("httpx.AsyncByteStream", response.stream)
        response.stream = _LimitedStream(stream, packing, self._most, request)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _LimitedStream(httpx.AsyncByteStream):
    """A decompressed body up to a number of bytes. Raises httpx.ReadError above it, httpx.DecodingError."""

    def __init__(self, inner: httpx.AsyncByteStream, packing: str, most: int, request: httpx.Request) -> None:
        self._inner = inner
        self._packing = packing
        self._most = most
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = self._most
        async for part in self._unpacked():
            left -= len(part)
            if left < 0:
                host = self._request.url.host
                log.warning("answer_too_big", host=host, most_bytes=self._most)
                raise httpx.ReadError(f"an answer of more than {self._most} bytes", request=self._request)
            yield part

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _unpacked(self) -> AsyncIterator[bytes]:
        if self._packing in {"", "identity"}:
            async for part in self._inner:
                yield part
            return
        if self._packing not in _PACKED:
            raise httpx.DecodingError("an answer in an encoding that was not asked for", request=self._request)
        unpacking = zlib.decompressobj(_ANY_HEADER)
        most_packed = left = self._most
        try:
            async for part in self._inner:
                most_packed -= len(part)
                if most_packed < 0:
                    raise httpx.ReadError(f"an answer of more than {self._most} bytes", request=self._request)
                yield unpacking.decompress(part, self._most + 1)
        except zlib.error:
            raise httpx.DecodingError("an answer that is packed badly", request=self._request) from None
        if left != most_packed and not unpacking.eof:
            raise httpx.DecodingError("an answer that is packed badly", request=self._request)
