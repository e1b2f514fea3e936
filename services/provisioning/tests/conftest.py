"""A running provisioning service on the stage (real Kafka and Postgres), with the sandbox's operators."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from provisioning.app import build
from provisioning.settings import Settings
from sandbox.testing import RunningSandbox, running_sandbox
from shared.contracts import Money, OrderPaid, Plan
from shared.ids import uuid7
from shared.messaging.consumer import Received
from shared.sealed import Opener, new_private_key
from shared.testing.documents import JsonObject
from shared.testing.running import RunningService
from shared.testing.stage import Stage

PLAN = Plan(id="tr-5gb", title="Turkey 5 GB", coverage=("TR",), data_mb=5120, validity_days=30, profile_type="TR-STD")


def order_paid(**changes: object) -> OrderPaid:
    """A paid order, paid just now."""
    fields: JsonObject = {
        "order_id": uuid7(),
        "order_number": "10000001",
        "storefront": "esimka",
        "buyer_id": uuid7(),
        "kind": "esim",
        "plan": PLAN,
        "paid": Money(amount=1500, currency="USD"),
        "invoice_id": "1000001",
        "paid_at": datetime.now(UTC),
    }
    return OrderPaid.model_validate(fields | changes)


@dataclass
class Provisioning(RunningService):
    """A running service, with helpers for tests."""

    sandbox: RunningSandbox
    opener: Opener
    trace_file: Path

    async def paid(self, *, trace: str | None = None, **changes: object) -> OrderPaid:
        """Publish an order that is paid now."""
        order = order_paid(**changes)
        await self.stage.publish(order, trace=trace)
        return order

    def received(self, **changes: object) -> Received[OrderPaid]:
        """A paid order as a handler gets it, without Kafka."""
        order = order_paid(**changes)
        return Received(order, uuid7(), order.paid_at, None)

    async def profile(self, order_id: UUID) -> JsonObject:
        """The row of an order."""
        return (await self.rows("SELECT * FROM profiles WHERE order_id = :id", id=order_id))[0]

    async def profile_state(self, order_id: UUID) -> str | None:
        """The state of an order's row, None where there is none yet."""
        rows = await self.rows("SELECT state FROM profiles WHERE order_id = :id", id=order_id)
        return str(rows[0]["state"]) if rows else None


Start = Callable[..., Awaitable[Provisioning]]


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox() as running:
        yield running


@pytest.fixture
async def start(stage: Stage, sandbox: RunningSandbox, tmp_path: Path) -> Start:
    """Start the service with these settings."""

    async def start(**overrides: object) -> Provisioning:
        opener = Opener(new_private_key())
        settings: JsonObject = {
            "operator_url": sandbox.operator_url,
            "operator_timeout_seconds": 1.0,
            "notifications_seal_public_key": opener.public_key,
            "agent_keys": {"anna": "agent-key"},
            "trace_file": tmp_path / "traces.jsonl",
            **overrides,
        }
        service = await stage.service(build, Settings, **settings)
        return Provisioning(service, stage, sandbox, opener, settings["trace_file"])

    return start
