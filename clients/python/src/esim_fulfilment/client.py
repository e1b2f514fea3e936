"""`Client` and `AsyncClient`: the same operations, one with threads and one with asyncio."""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlencode

import httpx

from esim_fulfilment.calls import Answer, Call, Service
from esim_fulfilment.errors import UnreachableError
from esim_fulfilment.operations import Operations
from esim_fulfilment.retries import NoAnswer, Outcome, RetryPolicy, Send, Wait, conversation

T = TypeVar("T")
#: Seconds until a connection is there, and between two parts of an answer. An order is answered in milliseconds; a
#: payment object asks the bank first.
TIMEOUT = httpx.Timeout(15.0, connect=5.0)
#: Answers with an ETag that one client keeps; the oldest is dropped.
_MOST_KEPT = 100
_OK, _NOT_MODIFIED = 200, 304
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


class _KeptAnswers:
    """The last answer with an ETag of each address, for several threads."""

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}
        self._lock = threading.Lock()

    def find(self, call: Call[Any]) -> Answer | None:
        """The kept answer to a call."""
        return self._answers.get(_address(call)) if call.cached else None

    def choose(self, call: Call[Any], kept: Answer | None, answer: Answer) -> Answer:
        """The kept answer where the service says that it is still current (304); otherwise the new one, kept."""
        if kept is not None and answer.status == _NOT_MODIFIED:
            return kept
        if call.cached and answer.status == _OK and "etag" in answer.headers:
            with self._lock:
                self._answers.pop(_address(call), None)
                self._answers[_address(call)] = answer
                if len(self._answers) > _MOST_KEPT:
                    del self._answers[next(iter(self._answers))]
        return answer


class Client(Operations):
    """The client with threads: it may be shared by several. `http` replaces its connections (proxies, certificates)."""

    def __init__(
        self, key: str, addresses: Addresses, *, retries: RetryPolicy | None = None, http: httpx.Client | None = None
    ) -> None:
        self._key, self._addresses, self._retries = key, addresses, retries or RetryPolicy()
        self._http = http or httpx.Client(timeout=TIMEOUT)
        self._kept = _KeptAnswers()

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

    def stream(self, call: Call[None]) -> Iterator[bytes]:
        """The parts of the body as they arrive. The start is repeated like any call; an end too early is an error."""
        opened: list[httpx.Response] = []
        talk = conversation(call, self._retries)
        step = next(talk)
        with suppress(StopIteration):
            while True:
                step = talk.send(self._perform(call, step, opened))
        try:
            yield from opened[-1].iter_bytes()
        except httpx.HTTPError as error:
            raise _ended_early(call, error) from error
        finally:
            opened[-1].close()

    def _perform(self, call: Call[Any], step: Send | Wait, opened: list[httpx.Response] | None = None) -> Outcome:
        """Performs a step. With `opened`, a successful response is added there, and its body is left to be read."""
        if isinstance(step, Wait):
            time.sleep(step.seconds)
            return None
        kept = self._kept.find(call)
        try:
            request = self._http.build_request(**_request(call, self._key, self._addresses, kept))
            response = self._http.send(request, stream=opened is not None)
            if opened is not None and response.is_success:
                opened.append(response)
                return _answer(response, b"")
            return self._kept.choose(call, kept, _answer(response, response.read()))
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
        self._kept = _KeptAnswers()

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

    async def stream_async(self, call: Call[None]) -> AsyncIterator[bytes]:
        """The parts of the body as they arrive. The start is repeated like any call; an end too early is an error."""
        opened: list[httpx.Response] = []
        talk = conversation(call, self._retries)
        step = next(talk)
        while not opened:
            outcome = await self._perform(call, step, opened)
            with suppress(StopIteration):
                step = talk.send(outcome)
        try:
            async for part in opened[-1].aiter_bytes():
                yield part
        except httpx.HTTPError as error:
            raise _ended_early(call, error) from error
        finally:
            await opened[-1].aclose()

    async def _perform(self, call: Call[Any], step: Send | Wait, opened: list[httpx.Response] | None = None) -> Outcome:
        """Performs a step. With `opened`, a successful response is added there, and its body is left to be read."""
        if isinstance(step, Wait):
            await asyncio.sleep(step.seconds)
            return None
        kept = self._kept.find(call)
        try:
            request = self._http.build_request(**_request(call, self._key, self._addresses, kept))
            response = await self._http.send(request, stream=opened is not None)
            if opened is not None and response.is_success:
                opened.append(response)
                return _answer(response, b"")
            return self._kept.choose(call, kept, _answer(response, await response.aread()))
        except httpx.HTTPError as error:
            return _no_answer(error)


def _address(call: Call[Any]) -> str:
    return f"{call.service}{call.path}?{urlencode(call.params)}"


def _request(call: Call[Any], key: str, addresses: Addresses, kept: Answer | None) -> dict[str, Any]:
    """The arguments of httpx for a call. `kept`: the answer that is used if it is still current."""
    headers = {"user-agent": _AGENT, "accept": "application/json", **call.headers, "authorization": f"Bearer {key}"}
    if kept is not None:
        headers["if-none-match"] = kept.headers["etag"]
    request = {
        "method": call.method,
        "url": addresses.url(call.service, call.path),
        "params": dict(call.params),
        "headers": headers,
    }
    return request if call.json is None else {**request, "json": call.json}


def _answer(response: httpx.Response, body: bytes) -> Answer:
    return Answer(response.status_code, dict(response.headers), body)


def _ended_early(call: Call[Any], error: httpx.HTTPError) -> UnreachableError:
    return UnreachableError(f"{call.method} {call.path}: the answer ended too early ({type(error).__name__})")


def _no_answer(error: httpx.HTTPError) -> NoAnswer:
    """The reason is the error's class, not its text, which may repeat an address with a query."""
    return NoAnswer(type(error).__name__, received=not isinstance(error, _NOT_SENT))
