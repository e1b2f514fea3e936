"""`Client` and `AsyncClient`: the same operations, one with threads and one with asyncio."""

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx

from esim_fulfilment.calls import Answer, Call, Service
from esim_fulfilment.operations import Operations
from esim_fulfilment.retries import NoAnswer, Outcome, RetryPolicy, Send, Wait, conversation

T = TypeVar("T")
#: Seconds until a connection is there, and between two parts of an answer. An order is answered in milliseconds; a
#: payment object asks the bank first.
TIMEOUT = httpx.Timeout(15.0, connect=5.0)
_AGENT = "esim-fulfilment-client/0.1"
#: Errors before a request has left: it surely was not received.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True, slots=True)
class Addresses:
    """The base URLs of the services. Where one gateway serves all four: `Addresses.behind("https://api.example")`."""

    ordering: str
    payments: str
    notifications: str
    refunds: str

    @classmethod
    def behind(cls, gateway: str) -> Self:
        """The four services behind one address."""
        return cls(gateway, gateway, gateway, gateway)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """From `ORDERING_URL`, `PAYMENTS_URL`, `NOTIFICATIONS_URL`, `REFUNDS_URL`. Raises KeyError."""
        return cls(*(environ[f"{name}_URL"] for name in ("ORDERING", "PAYMENTS", "NOTIFICATIONS", "REFUNDS")))

    def url(self, service: Service, path: str) -> str:
        """The URL of a path of a service."""
        base: str = getattr(self, service)
        return base.rstrip("/") + path


class Client(Operations):
    """The client with threads: it may be shared by several. `http` replaces its connections (proxies, certificates)."""

    def __init__(
        self, key: str, addresses: Addresses, *, retries: RetryPolicy | None = None, http: httpx.Client | None = None
    ) -> None:
        self._key, self._addresses, self._retries = key, addresses, retries or RetryPolicy()
        self._http = http or httpx.Client(timeout=TIMEOUT)

    def __enter__(self) -> Self:
        """Nothing is opened before the first call."""
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(self, call: Call[T]) -> T:
        """The result of a call. Raises FulfilmentError."""
        talk = conversation(call, self._retries)
        step = next(talk)
        while True:
            try:
                step = talk.send(self._perform(call, step))
            except StopIteration as end:
                result: T = end.value
                return result

    def _perform(self, call: Call[Any], step: Send | Wait) -> Outcome:
        if isinstance(step, Wait):
            time.sleep(step.seconds)
            return None
        try:
            return _answer(self._http.request(**_request(call, self._key, self._addresses)))
        except httpx.HTTPError as error:
            return _no_answer(error)


class AsyncClient(Operations):
    """The client with asyncio. `http` replaces its connections (proxies, certificates)."""

    def __init__(
        self,
        key: str,
        addresses: Addresses,
        *,
        retries: RetryPolicy | None = None,
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._key, self._addresses, self._retries = key, addresses, retries or RetryPolicy()
        self._http = http or httpx.AsyncClient(timeout=TIMEOUT)

    async def __aenter__(self) -> Self:
        """Nothing is opened before the first call."""
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send_async(self, call: Call[T]) -> T:
        """The result of a call. Raises FulfilmentError."""
        talk = conversation(call, self._retries)
        step = next(talk)
        while True:
            outcome = await self._perform(call, step)
            try:
                step = talk.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result

    async def _perform(self, call: Call[Any], step: Send | Wait) -> Outcome:
        if isinstance(step, Wait):
            await asyncio.sleep(step.seconds)
            return None
        try:
            return _answer(await self._http.request(**_request(call, self._key, self._addresses)))
        except httpx.HTTPError as error:
            return _no_answer(error)


def _request(call: Call[Any], key: str, addresses: Addresses) -> dict[str, Any]:
    headers = {"user-agent": _AGENT, **call.headers, "authorization": f"Bearer {key}", "accept": "application/json"}
    request = {
        "method": call.method,
        "url": addresses.url(call.service, call.path),
        "params": dict(call.params),
        "headers": headers,
    }
    return request if call.json is None else {**request, "json": call.json}


def _answer(response: httpx.Response) -> Answer:
    return Answer(response.status_code, dict(response.headers), response.content)


def _no_answer(error: httpx.HTTPError) -> NoAnswer:
    """The class of the error is told, not its text, which may repeat an address with a query."""
    return NoAnswer(type(error).__name__, received=not isinstance(error, _NOT_SENT))
