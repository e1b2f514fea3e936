"""A call: one request of the HTTP interface and how its answer is read, without sending it.

`Call` is a description. `Client` sends it and waits; `AsyncClient` awaits it. So every operation is written once, as a
function that returns a call, and `Operation` makes a method of both clients of it.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import Any, Generic, Literal, ParamSpec, Protocol, Self, TypeVar, overload
from urllib.parse import quote

from pydantic import JsonValue

P = ParamSpec("P")
T = TypeVar("T")

#: Which service answers. Each has an address of its own (`Addresses`).
Service = Literal["ordering", "payments", "notifications", "refunds"]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request and how its answer is read."""

    service: Service
    method: Method
    path: str
    #: Raises ValueError where the answer is not as described.
    read: Callable[[Answer], T]
    json: Mapping[str, JsonValue] | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    #: Whether a repetition has the same effect as one request. Otherwise it is repeated only when surely not received.
    repeatable: bool = True
    #: Whether an answer with `ETag` is kept, and asked for with `If-None-Match` the next time.
    cached: bool = False


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items of a list, and the cursor of the following ones; None at the end."""

    items: tuple[T, ...]
    next_cursor: str | None = None
    #: The parameter that takes the cursor.
    parameter: str = "cursor"


class SyncSender(Protocol):
    """Sends a call and returns its result."""

    def send(self, call: Call[T]) -> T:
        """Raises FulfilmentError."""
        ...

    def stream(self, call: Call[None]) -> Iterator[bytes]:
        """The parts of the body, as they arrive. Raises FulfilmentError, also after some parts."""
        ...


class AsyncSender(Protocol):
    """Sends a call and returns its result, asynchronously."""

    async def send_async(self, call: Call[T]) -> T:
        """Raises FulfilmentError."""
        ...

    def stream_async(self, call: Call[None]) -> AsyncIterator[bytes]:
        """The parts of the body, as they arrive. Raises FulfilmentError, also after some parts."""
        ...


class Operation(Generic[P, T]):
    """Makes a method of both clients of a function that returns a call."""

    def __init__(self, describe: Callable[P, Call[T]]) -> None:
        self.describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: SyncSender, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, client: AsyncSender, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        """The method, bound to a client."""
        if client is None:
            return self
        send = client.send if hasattr(client, "send") else client.send_async

        @wraps(self.describe)
        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return send(self.describe(*args, **kwargs))

        return method


class PagedOperation(Generic[P, T]):
    """Makes an iteration over all pages of a function that returns the call of the first page."""

    def __init__(self, describe: Callable[P, Call[Page[T]]]) -> None:
        self.describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: SyncSender, owner: type) -> Callable[P, Iterator[T]]: ...
    @overload
    def __get__(self, client: AsyncSender, owner: type) -> Callable[P, AsyncIterator[T]]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        """The method, bound to a client."""
        if client is None:
            return self
        iterate = _iterate if hasattr(client, "send") else _iterate_async

        @wraps(self.describe)
        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return iterate(client, self.describe(*args, **kwargs))

        return method


class StreamedOperation(Generic[P]):
    """Makes an iteration over the parts of a long body of a function that returns a call."""

    def __init__(self, describe: Callable[P, Call[None]]) -> None:
        self.describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, client: None, owner: type) -> Self: ...
    @overload
    def __get__(self, client: SyncSender, owner: type) -> Callable[P, Iterator[bytes]]: ...
    @overload
    def __get__(self, client: AsyncSender, owner: type) -> Callable[P, AsyncIterator[bytes]]: ...
    def __get__(self, client: Any, owner: type) -> Any:
        """The method, bound to a client."""
        if client is None:
            return self
        stream = client.stream if hasattr(client, "stream") else client.stream_async

        @wraps(self.describe)
        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return stream(self.describe(*args, **kwargs))

        return method


def _iterate(client: SyncSender, first: Call[Page[T]]) -> Iterator[T]:
    call: Call[Page[T]] | None = first
    while call is not None:
        page = client.send(call)
        yield from page.items
        call = _following(call, page)


async def _iterate_async(client: AsyncSender, first: Call[Page[T]]) -> AsyncIterator[T]:
    call: Call[Page[T]] | None = first
    while call is not None:
        page = await client.send_async(call)
        for item in page.items:
            yield item
        call = _following(call, page)


def _following(call: Call[Page[T]], page: Page[T]) -> Call[Page[T]] | None:
    """The call of the next page. A cursor that leads to itself ends the list, so that no loop is endless."""
    if page.next_cursor is None or page.next_cursor == call.params.get(page.parameter):
        return None
    return replace(call, params={**call.params, page.parameter: page.next_cursor})


def path(*parts: str) -> str:
    """A path of these parts. Each is one segment, whatever characters it contains."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


def given(**params: str | int | None) -> dict[str, str]:
    """Query parameters without those that are None."""
    return {name: str(value) for name, value in params.items() if value is not None}
