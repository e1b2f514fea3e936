"""Operations on a stage, and the facts of an order's life."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import httpx
import pytest

from operations.app import build
from operations.scheduled_jobs import DeleteOldRecords
from operations.settings import Settings
from shared.contracts import (
    BuyerContact,
    DuplicateCharged,
    Event,
    Explanation,
    Ground,
    InstallStatus,
    Money,
    OrderPaid,
    OrderPlaced,
    Plan,
    ProfileFailed,
    ProfileGenerated,
    ProfileObserved,
    ProfileRevoked,
    QrDelivered,
    ReceiptIssued,
    RefundApproved,
    RefundRequested,
    RefundSettled,
    Usage,
)
from shared.ids import uuid7
from shared.sealed import Sealed
from shared.testing.documents import JsonObject
from shared.testing.running import RunningService
from shared.testing.stage import Stage

PLAN = Plan(id="tr-5gb", title="Turkey 5 GB", coverage=("TR",), data_mb=5120, validity_days=30, profile_type="TR-STD")
ICCID = "8999702000000000001"


class Shifted:
    """The machine's clock, moved on by the test."""

    def __init__(self) -> None:
        self.by = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by


class Life:
    """All events that one order may have; `at` is when it was placed and paid."""

    def __init__(self, at: datetime | None = None, storefront: str = "esimka") -> None:
        self.at = at or datetime.now(UTC)
        self.order_id = uuid7()
        self.order_number = f"1{self.order_id.int % 10**9:09d}"
        self.buyer_id = uuid7()
        self.case_id, self.refund_id = uuid7(), uuid7()
        self.money = Money(amount=1500, currency="USD")
        self.cheap = Money(amount=1, currency="USD")
        self.about: JsonObject = {
            "order_id": self.order_id,
            "order_number": self.order_number,
            "storefront": storefront,
            "buyer_id": self.buyer_id,
        }

    def placed(self, **changes: object) -> OrderPlaced:
        fields: JsonObject = {"kind": "esim", "plan": PLAN, "price": self.money, "placed_at": self.at, **changes}
        return OrderPlaced(**self.about, offer_version="1", privacy_version="1", **fields)

    def paid(self, **changes: object) -> OrderPaid:
        fields: JsonObject = {"kind": "esim", "plan": PLAN, "paid": self.money, "paid_at": self.at, **changes}
        return OrderPaid(**self.about, invoice_id="123456789", **fields)

    def generated(self, iccid: str = ICCID) -> ProfileGenerated:
        return ProfileGenerated(
            **self.about,
            plan=PLAN,
            iccid=iccid,
            activation_code=Sealed(recipient="notifications", box="c2VjcmV0"),
            operator="sandbox",
            paid_at=self.at,
            generated_at=self.at + timedelta(seconds=1),
            valid_until=self.at + timedelta(days=90),
        )

    def failed(self) -> ProfileFailed:
        return ProfileFailed(
            **self.about, plan=PLAN, operator="sandbox", reason="no profile", paid_at=self.at, failed_at=self.at
        )

    def delivered(self) -> QrDelivered:
        return QrDelivered(**self.about, channel="email", paid_at=self.at, delivered_at=self.at + timedelta(seconds=2))

    def receipt(self) -> ReceiptIssued:
        return ReceiptIssued(
            **self.about,
            receipt_id=uuid7(),
            kind="sale",
            amount=self.money,
            check_number="1",
            ticket_url="https://receipts.example/1",
            issued_at=self.at,
        )

    def charged_twice(self) -> DuplicateCharged:
        return DuplicateCharged(
            **self.about, charge_id=uuid7(), invoice_id="123456790", amount=self.money, captured_at=self.at
        )

    def requested(self) -> RefundRequested:
        return RefundRequested(
            **self.about, case_id=self.case_id, reason="other", origin="buyer", requested_at=self.at, channel="form"
        )

    def approved(self, **changes: object) -> RefundApproved:
        fields: JsonObject = {"amount": self.money, "pay_by": self.at + timedelta(days=10), **changes}
        return RefundApproved(
            **self.about,
            case_id=self.case_id,
            refund_id=self.refund_id,
            policy="esimka@2026-04-22",
            grounds=(Ground(document="RF", clause="2.1", text="unused"),),
            explanation=Explanation(en="yes", ru="да"),
            approved_at=self.at,
            **fields,
        )

    def settled(self, amount: int | None = None, refund_id: UUID | None = None) -> RefundSettled:
        money = self.money if amount is None else Money(amount=amount, currency="USD")
        return RefundSettled(**self.about, refund_id=refund_id or self.refund_id, amount=money, settled_at=self.at)

    def revoked(self) -> ProfileRevoked:
        return ProfileRevoked(
            **self.about, iccid=ICCID, reason="refund", case_id=self.case_id, revoked_at=self.at + timedelta(seconds=3)
        )

    def observed(self, activated_at: datetime) -> ProfileObserved:
        return ProfileObserved(
            **self.about,
            iccid=ICCID,
            operator="sandbox",
            install=InstallStatus(),
            usage=Usage(),
            activated_at=activated_at,
            observed_at=activated_at,
        )

    def contact(self, email: str = "ann@example.org", **changes: object) -> BuyerContact:
        return BuyerContact(
            buyer_id=self.buyer_id,
            storefront=self.about["storefront"],
            name="Ann Example",
            email=email,
            phone="+995555000111",
            language="en",
            newsletter=False,
            updated_at=self.at,
            **changes,
        )

    def smooth(self) -> list[Event]:
        """Placed, paid, made, delivered."""
        return [self.placed(), self.paid(), self.generated(), self.delivered()]


@dataclass
class Operations(RunningService):
    """A running service and what a test asks it."""

    clock: Shifted

    life = staticmethod(Life)

    async def get(self, path: str, key: str | None = "a-key") -> httpx.Response:
        return await self.request("GET", path, key=key)

    async def post(self, path: str, body: object, key: str | None = "a-key") -> httpx.Response:
        return await self.request("POST", path, key=key, json=body)

    async def open(self, invariant: str) -> list[str]:
        """The subjects of what does not hold now."""
        return [one["subject"] for one in (await self.get(f"/invariants/{invariant}")).json()["open"]]

    async def holds(self, invariant: str) -> bool:
        """Whether it holds now; for `eventually`, since an evaluation that had begun before still tells what was."""
        return await self.open(invariant) == []

    async def known(self, *events: Event) -> None:
        """Publish these facts and wait until they are applied."""
        sent = await self.stage.publish(*events)
        ids = [one.id for one in sent]
        sql = """
        SELECT count(*) AS n FROM (SELECT event_id FROM inbox UNION ALL SELECT event_id FROM inbox_by_arrival) AS known
        WHERE event_id = ANY(CAST(:ids AS uuid[]))"""

        async def applied() -> bool:
            return bool((await self.rows(sql, ids=ids))[0]["n"] == len(ids))

        await self.stage.eventually(applied)

    async def deleted_old(self) -> None:
        """Delete old records, as the background loop does every hour."""
        await DeleteOldRecords(self.service.database, timedelta(days=30), timedelta(days=400)).delete()

    async def evaluated(self) -> None:
        """Wait for an evaluation that has seen every event until now."""
        now = self.clock.now()
        sql = "SELECT bool_and(evaluated_at > :now AND as_of > :now) AS done FROM evaluations HAVING count(*) > 10"

        async def done() -> bool:
            return any(row["done"] for row in await self.rows(sql, now=now))

        await self.stage.eventually(done)


Start = Callable[..., Awaitable[Operations]]


@pytest.fixture
async def start(stage: Stage) -> Start:
    async def start(**overrides: object) -> Operations:
        settings: JsonObject = {
            "operations_keys": {"script": "a-key"},
            "search_key": "a-search-key-for-tests",
            "consumer_pause_seconds": 0.0,
            "evaluation_seconds": 0.2,
            **overrides,
        }
        clock = Shifted()
        return Operations(await stage.service(partial(build, clock=clock), Settings, **settings), stage, clock)

    return start


@pytest.fixture
def life() -> type[Life]:
    return Life
