"""Refunds on a stage, and the facts of an order's life."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from refunds.app import build
from refunds.cases.rules.identity import refund_id
from refunds.settings import Settings
from shared.contracts import (
    BuyerContact,
    DeliveryFailed,
    DuplicateCharged,
    InstallStatus,
    Money,
    OperatorStatus,
    OrderEvent,
    OrderPaid,
    Plan,
    ProfileFailed,
    ProfileGenerated,
    ProfileObserved,
    ProfileRevoked,
    QrDelivered,
    RefundFailed,
    RefundSettled,
    RevocationRefused,
    Usage,
)
from shared.ids import uuid7
from shared.sealed import Sealed
from shared.testing.documents import Json, JsonObject
from shared.testing.running import RunningService
from shared.testing.stage import Stage

PLAN = Plan(id="tr-5gb", title="Turkey 5 GB", coverage=("TR",), data_mb=5120, validity_days=30, profile_type="TR-STD")
PAID_AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class Life:
    """All events that one order may have."""

    def __init__(self, storefront: str = "qazaq-esim", currency: str = "KZT", paid_at: datetime = PAID_AT) -> None:
        self.order_id = uuid7()
        self.order_number = f"1{self.order_id.int % 10**9:09d}"
        self.paid_at = paid_at
        self.storefront = storefront
        self.money = Money(amount=599000, currency=currency)
        self._about: JsonObject = {
            "order_id": self.order_id,
            "order_number": self.order_number,
            "storefront": storefront,
            "buyer_id": uuid7(),
        }

    def paid(self) -> OrderPaid:
        return OrderPaid(
            **self._about, kind="esim", plan=PLAN, paid=self.money, invoice_id="123456789", paid_at=self.paid_at
        )

    def failed(self, after: timedelta = timedelta(minutes=5)) -> ProfileFailed:
        return ProfileFailed(
            **self._about,
            plan=PLAN,
            operator="sandbox",
            statuses=(OperatorStatus(subject_code="8.2.5", reason_code="3.7", message="out of stock"),),
            reason="the operator had no profile in time",
            paid_at=self.paid_at,
            failed_at=self.paid_at + after,
        )

    def generated(self) -> ProfileGenerated:
        return ProfileGenerated(
            **self._about,
            plan=PLAN,
            iccid="8999702000000000001",
            activation_code=Sealed(recipient="notifications", box="AAAA"),
            operator="sandbox",
            paid_at=self.paid_at,
            generated_at=self.paid_at,
            valid_until=self.paid_at,
        )

    def delivered(self) -> QrDelivered:
        return QrDelivered(**self._about, channel="email", paid_at=self.paid_at, delivered_at=self.paid_at)

    def delivery_failed(self) -> DeliveryFailed:
        return DeliveryFailed(
            **self._about, channel="email", smtp_code=550, enhanced_code="5.1.1", failed_at=self.paid_at
        )

    @property
    def refund_id(self) -> UUID:
        return refund_id(self.order_id, "generation_failed")

    def settled(self) -> RefundSettled:
        return RefundSettled(**self._about, refund_id=self.refund_id, amount=self.money, settled_at=self.paid_at)

    def refund_failed(self) -> RefundFailed:
        return RefundFailed(
            **self._about, refund_id=self.refund_id, amount=self.money, reason="refused", failed_at=self.paid_at
        )

    def observed(
        self, at: datetime, case_id: UUID | str | None = None, *, reached: bool = True, **seen: object
    ) -> ProfileObserved:
        """The operator says: released, nothing used; `seen` says otherwise."""
        used = seen.pop("used_bytes", 0)
        state = seen.pop("state", "installed" if seen.get("installed_at") else "released")
        return ProfileObserved(
            **self._about,
            iccid="8999702000000000001",
            operator="sandbox",
            install=InstallStatus(state=state, source="feed", observed_at=None if state == "unknown" else at),
            usage=Usage(used_bytes=used, total_bytes=5 * 2**30, source="feed", observed_at=at),
            case_id=case_id,
            reached=reached,
            observed_at=at,
            **seen,
        )

    def revoked(self, case_id: UUID) -> ProfileRevoked:
        return ProfileRevoked(
            **self._about,
            iccid="8999702000000000001",
            reason="cancellation",
            case_id=case_id,
            revoked_at=self.paid_at,
        )

    def revocation_refused(
        self, case_id: UUID, *, in_use: bool | None = True, at: datetime | None = None
    ) -> RevocationRefused:
        return RevocationRefused(
            **self._about,
            iccid="8999702000000000001",
            case_id=case_id,
            reason="installed",
            in_use=in_use,
            refused_at=at or self.paid_at,
        )

    def charged_twice(self) -> DuplicateCharged:
        return DuplicateCharged(
            **self._about, charge_id=uuid7(), invoice_id="123456790", amount=self.money, captured_at=self.paid_at
        )

    def contact(self, email: str = "ann@example.org") -> BuyerContact:
        return BuyerContact(
            buyer_id=self._about["buyer_id"],
            storefront=self.storefront,
            name="Ann",
            email=email,
            phone="+995555000111",
            language="en",
            newsletter=False,
            updated_at=self.paid_at,
        )

    def everything(self) -> list[OrderEvent]:
        return [
            self.paid(),
            self.failed(),
            self.generated(),
            self.delivered(),
            self.delivery_failed(),
            self.settled(),
            self.refund_failed(),
        ]


@dataclass
class Refunds(RunningService):
    """A running service and what a test asks it."""

    trace_file: Path

    life = staticmethod(Life)

    async def post(self, path: str, body: object = None, key: str | None = "agent-key") -> httpx.Response:
        return await self.request("POST", path, key=key, json=body or {})

    async def delivered(self, storefront: str = "esimka", paid_ago: timedelta = timedelta(days=1)) -> Life:
        """An order that was paid, made and delivered a while ago, as far as this service knows."""
        currency = "KZT" if storefront == "qazaq-esim" else "USD"
        life = Life(storefront, currency, self.service.clock.now() - paid_ago)
        await self.stage.publish(life.paid(), life.generated(), life.delivered())
        sql = "SELECT 1 FROM order_facts WHERE order_id = :id AND num_nonnulls(paid_at, generated_at, delivered_at) = 3"
        await self.until_rows(sql, id=life.order_id)
        return life

    async def opened(self, life: Life, body: JsonObject, key: str = "esimka-key") -> Json:
        """The case that this request opens."""
        answer = await self.post(f"/orders/{life.order_id}/refund-requests", body, key)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def case_in(self, life: Life, state: str) -> Json:
        """The order's case, as soon as one is in this state."""

        async def there() -> Json:
            cases = (await self.get(f"/cases/{life.order_id}")).json().get("cases", [])
            return next((case for case in cases if case["state"] == state), None)

        return await self.stage.eventually(there)

    async def state(self, life: Life) -> str | None:
        """The state of the order's one case."""
        answer = await self.get(f"/cases/{life.order_id}")
        found = answer.json().get("cases", [])
        return found[0]["state"] if found else None


Start = Callable[..., Awaitable[Refunds]]


@pytest.fixture
async def start(stage: Stage, tmp_path: Path) -> Start:
    async def start(**overrides: object) -> Refunds:
        trace_file = tmp_path / "traces.jsonl"
        settings: JsonObject = {
            "agent_keys": {"anna": "agent-key", "boris": "boris-key"},
            "storefront_keys": {"esimka": "esimka-key", "e-sim-onl": "onl-key", "qazaq-esim": "qazaq-key"},
            "observation_retry_seconds": 0.3,
            "trace_file": trace_file,
            **overrides,
        }
        return Refunds(await stage.service(build, Settings, **settings), stage, trace_file)

    return start


@pytest.fixture
def life() -> type[Life]:
    return Life


@pytest.fixture
async def database_url(stage: Stage) -> str:
    """A migrated database that no service runs on."""
    url: str = (await stage.settings(Settings, "refunds", agent_keys={})).database_url
    return url
