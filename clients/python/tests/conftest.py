"""A scripted service on a real socket, and both clients behind one function."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias  # Any: each test says what its operation returns

import pytest

from esim_fulfilment import Addresses, AsyncClient, Client, RetryPolicy
from esim_fulfilment.testing import ScriptedService

#: The length of the waits is tested without waiting, in test_retries.
FAST = RetryPolicy(first_wait=0.001, longest_wait=0.002)
#: Performs an operation of the client, by its name.
Ask: TypeAlias = Callable[..., Any]


@pytest.fixture
def service() -> Iterator[ScriptedService]:
    with ScriptedService() as running:
        yield running


@pytest.fixture(params=["threads", "asyncio"])
def ask(request: pytest.FixtureRequest, service: ScriptedService) -> Ask:
    """`ask("order", "10000001")`: the operation by its name, with either client. Iterations become lists."""

    def with_threads(operation: str, *args: object, **kwargs: object) -> Any:
        with Client("a-key", Addresses.behind(service.url), retries=FAST) as client:
            result = getattr(client, operation)(*args, **kwargs)
            return list(result) if isinstance(result, Iterator) else result

    async def with_asyncio(operation: str, *args: object, **kwargs: object) -> Any:
        async with AsyncClient("a-key", Addresses.behind(service.url), retries=FAST) as client:
            result = getattr(client, operation)(*args, **kwargs)
            return [item async for item in result] if hasattr(result, "__aiter__") else await result

    if request.param == "threads":
        return with_threads
    return lambda *args, **kwargs: asyncio.run(with_asyncio(*args, **kwargs))
