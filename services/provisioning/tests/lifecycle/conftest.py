"""A running provisioning service with its operator, and a clock that tests move."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Protocol
from uuid import UUID

import httpx
import pytest

from provisioning.app import build
from provisioning.lifecycle.models.knowledge import Known
from provisioning.lifecycle.models.profile import IssuedProfile
from provisioning.settings import Settings
from sandbox.testing import RunningSandbox
from shared.contracts import (
    CancellationAccepted,
    Explanation,
    Money,
    OrderPaid,
    Plan,
    ProfileGenerated,
    ProfileObserved,
    RefundApproved,
    RefundRequested,
    RevocationRequested,
)
from shared.ids import uuid7
from shared.kernel.service import Service
from shared.sealed import Opener, new_private_key
from shared.testing.documents import FieldValue, JsonObject, Row
from shared.testing.stage import Stage

PLAN = Plan(id="tr-5gb", title="Turkey 5 GB", coverage=("TR",), data_mb=5120, validity_days=30, profile_type="TR-STD")
SOLD = datetime(2026, 5, 1, 12, tzinfo=UTC)
SECRET, KEY = "notify-secret", "agent-key"


class IssueProfile(Protocol):
    """Makes a profile that was sold on 1 May 2026 and is not used; `changes` are its other fields."""

    def __call__(self, *, known: Known | None = None, plan: Plan = PLAN, **changes: FieldValue) -> IssuedProfile: ...


@pytest.fixture(scope="session")
def profile() -> IssueProfile:
    return issued


def issued(*, known: Known | None = None, plan: Plan = PLAN, **changes: FieldValue) -> IssuedProfile:
    unused = IssuedProfile(
        order_id=UUID(int=1),
        order_number="10000001",
        storefront="esimka",
        buyer_id=UUID(int=2),
        plan=plan,
        operator="primary",
        profile_type="TR-STD",
        iccid="8999702000000000018",
        matching_id="A",
        paid_at=SOLD,
        generated_at=SOLD,
        # 24:00 in Almaty is 19:00 UTC.
        valid_until=datetime(2026, 10, 28, 19, tzinfo=UTC) - timedelta(microseconds=1),
        known=known or Known(),
        extra_days=0,
        extra_bytes=0,
        disputed_at=None,
        looked_at=None,
        look_at=None,
        revoked_at=None,
        revoked_for=None,
        expired_at=None,
        expired_for=None,
        devices_erased_at=None,
        trace=None,
    )
    return replace(unused, **changes)


class MovingClock:
    """The machine's clock, moved."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class LifecycleProvisioning:
    """A running service with its operator and a movable clock; sells profiles and sends events of cases."""

    service: Service
    stage: Stage
    sandbox: RunningSandbox
    clock: MovingClock
    opener: Opener

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.service.port}"

    async def paid(self, **changes: FieldValue) -> OrderPaid:
        fields: JsonObject = {
            "order_id": uuid7(),
            "order_number": str(10_000_000 + uuid7().int % 80_000_000),
            "storefront": "esimka",
            "buyer_id": uuid7(),
            "kind": "esim",
            "plan": PLAN,
            "paid": Money(amount=1500, currency="USD"),
            "invoice_id": "1000001",
            "paid_at": datetime.now(UTC),
        }
        order = OrderPaid(**fields | changes)
        await self.stage.publish(order)
        return order

    async def sold(self) -> ProfileGenerated:
        order = await self.paid()
        [made] = await self.stage.events(ProfileGenerated, where=lambda event: event.order_id == order.order_id)
        return made.event

    def code(self, made: ProfileGenerated) -> str:
        return self.opener.open(made.activation_code).decode()

    async def life(self, order_id: UUID) -> JsonObject:
        answer = await self.get(f"/profiles/{order_id}/life")
        assert answer.status_code == 200, answer.text
        seen: JsonObject = answer.json()
        return seen

    async def get(self, path: str) -> httpx.Response:
        async with httpx.AsyncClient(base_url=self.url, timeout=30, trust_env=False) as client:
            return await client.get(path, headers={"authorization": f"Bearer {KEY}"})

    async def post(self, path: str, body: object, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else None
        async with httpx.AsyncClient(base_url=self.url, timeout=30, trust_env=False) as client:
            return await client.post(path, headers=headers, content=content, json=None if content else body)

    async def rows(self, sql: str) -> list[Row]:
        async with self.service.database.reading() as tx:
            return (await tx.execute(sql)).all()

    async def write(self, sql: str, **values: object) -> None:
        async with self.service.database.transaction("http") as tx:
            await tx.execute(sql, **values)

    async def observed(self, made: ProfileGenerated, **fields: object) -> ProfileObserved:
        """The first observation of this profile in which these fields have these values."""

        def matches(event: ProfileObserved) -> bool:
            reported = {"state": event.install.state, "used": event.usage.used_bytes, **dict(event)}
            return event.order_id == made.order_id and all(reported[name] == value for name, value in fields.items())

        [found] = await self.stage.events(ProfileObserved, where=matches)
        return found.event

    def case(self, made: ProfileGenerated | OrderPaid, **more: object) -> JsonObject:
        names = ("order_id", "order_number", "storefront", "buyer_id")
        return {name: getattr(made, name) for name in names} | {"case_id": uuid7()} | more

    async def move(self, ahead: timedelta) -> None:
        self.clock.ahead += ahead

    def requested(self, made: ProfileGenerated | OrderPaid) -> RefundRequested:
        return RefundRequested(**self.case(made), reason="x", origin="buyer", requested_at=datetime.now(UTC))

    def approved(self, made: ProfileGenerated | OrderPaid, **more: object) -> RefundApproved:
        fields = {
            "refund_id": uuid7(),
            "amount": Money(amount=1500, currency="USD"),
            "policy": "esimka@2026-04-22",
            "grounds": (),
            "explanation": Explanation(en="x", ru="y"),
            "approved_at": datetime.now(UTC),
            "revoke_profile": True,
        }
        return RefundApproved(**self.case(made), **fields | more)

    def revocation_requested(self, made: ProfileGenerated | OrderPaid) -> RevocationRequested:
        return RevocationRequested(
            **self.case(made), policy="esimka@2026-04-22", grounds=(), requested_at=datetime.now(UTC)
        )

    def cancelled(self, made: ProfileGenerated | OrderPaid) -> CancellationAccepted:
        return CancellationAccepted(
            **self.case(made), policy="e-sim-onl@2026-03", grounds=(), accepted_at=datetime.now(UTC)
        )

    async def at_the_operator(self, iccid: str) -> str:
        [profile] = [one for one in await self.sandbox.ledger_operator() if one["iccid"] == iccid]
        return str(profile["state"])


StartLifecycle = Callable[..., Awaitable[LifecycleProvisioning]]


@pytest.fixture
async def start_lifecycle(stage: Stage, sandbox: RunningSandbox, tmp_path: Path) -> StartLifecycle:
    async def start(**overrides: object) -> LifecycleProvisioning:
        opener, clock = Opener(new_private_key()), MovingClock()
        settings: JsonObject = {
            "operator_url": sandbox.operator_url,
            "operator_usage_url": f"{sandbox.operator_url}/usage",
            "operator_timeout_seconds": 1.0,
            "notifications_seal_public_key": opener.public_key,
            "agent_keys": {"anna": KEY},
            "notification_secrets": {"primary": SECRET},
            "usage_push_secrets": {"primary": "sandbox-push-secret"},
            "notification_points": {"primary": {"6": "enabled", "7": "disabled"}},
            "watch_seconds": 0.2,
            "inquiry_patience_seconds": 0.5,
            **overrides,
        }
        service = await stage.service(partial(build, clock=clock), Settings, **settings)
        running = LifecycleProvisioning(service, stage, sandbox, clock, opener)
        base = f"{running.url}/operators/primary"
        path = "gsma/rsp2/es2plus/handleDownloadProgressInfo"
        await sandbox.operator_catalogue(
            progress_url=f"{base}/key/{SECRET}/{path}", push_url=f"{base}/usage", push_secret="sandbox-push-secret"
        )
        return running

    return start
