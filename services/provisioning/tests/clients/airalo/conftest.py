"""The sandbox's reseller, and clients of it."""

from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

import pytest
from prometheus_client import CollectorRegistry

from provisioning.clients.airalo.client import AiraloOperator
from provisioning.clients.context import ClientContext
from provisioning.clients.http_calls import calls_counter
from provisioning.clients.unparsed_fields import UnparsedFields
from provisioning.settings import OperatorSettings
from sandbox.testing import RunningSandbox, running_sandbox
from shared.testing.documents import JsonObject

if TYPE_CHECKING:
    from services.provisioning.tests.conftest import Start

CREDENTIALS = {"client_id": "airalo-client", "client_secret": "airalo-secret"}


def entry(sandbox: RunningSandbox, **options: object) -> JsonObject:
    """An entry of OPERATORS."""
    return {
        "name": "airalo",
        "adapter": "airalo",
        "url": sandbox.airalo_url,
        "credentials": CREDENTIALS,
        "timeout_seconds": 5.0,
        "options": {name: str(value) for name, value in options.items()},
    }


StartClient = Callable[..., AiraloOperator]


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox(airalo_tokens_per_minute=100, airalo_usage_cache_seconds=0) as running:
        yield running


@pytest.fixture
async def adapter(start: "Start", sandbox: RunningSandbox) -> AsyncIterator[StartClient]:
    """`adapter(**options)`: an adapter with the memory of one service; each is as after a restart."""
    service = (await start(operator_adapter="instant")).service
    made: list[AiraloOperator] = []

    def build(**options: object) -> AiraloOperator:
        registry = CollectorRegistry()
        tools = ClientContext(
            service.tracing, calls_counter(registry), service.clock, service.database, UnparsedFields(registry)
        )
        made.append(AiraloOperator(OperatorSettings.model_validate(entry(sandbox, **options)), tools))
        return made[-1]

    yield build
    for one in made:
        await one.close()
