"""The toy service with operations keys, and a client that holds one."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack

import httpx
import pytest
from pydantic import SecretStr

from shared.contracts.base import Event
from shared.kernel.service import Service
from shared.messaging.consumer import Handler, TombstoneHandler
from shared.testing.operations import RunningToy, StartToy
from shared.testing.stage import Stage
from shared.testing.toy import service as toy
from shared.testing.toy.settings import Settings

KEY = "an operations key"


@pytest.fixture
async def enter(stage: Stage) -> AsyncIterator[StartToy]:
    """Start a toy whose operations the test uses."""
    async with AsyncExitStack() as stack:

        async def start(
            *,
            handlers: Mapping[type[Event], Handler] | None = None,
            forgets: Mapping[type[Event], TombstoneHandler] | None = None,
            call: toy.Call | None = None,
        ) -> RunningToy:
            def build(settings: Settings) -> Service:
                service = toy.build(settings) if call is None else toy.build(settings, call=call)
                service.consumes(handlers or {})
                for event_class, handler in (forgets or {}).items():
                    service.forgets(event_class, handler)
                return service

            service = await stage.service(build, Settings, operations_keys={"operations": SecretStr(KEY)})
            client = httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{service.port}/operations",
                headers={"Authorization": f"Bearer {KEY}"},
                timeout=30,
                trust_env=False,
            )
            return RunningToy(stage, service, await stack.enter_async_context(client))

        yield start
