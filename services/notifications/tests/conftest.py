"""Notifications on a stage, with a mail server to talk to, and facts as their owners would publish them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Literal
from uuid import UUID

import pytest

from notifications.app import build
from notifications.settings import Settings
from sandbox.testing import RunningSandbox, running_sandbox
from shared.contracts import (
    AppealReceived,
    BuyerContact,
    BuyerErasureRequested,
    CancellationAccepted,
    ConfirmationRequested,
    Explanation,
    Ground,
    InformationNeeded,
    InstallStatus,
    Kind,
    Money,
    OrderHeld,
    OrderPaid,
    OrderRefused,
    OrderReleased,
    PaymentLapsed,
    Plan,
    ProfileExpired,
    ProfileFailed,
    ProfileGenerated,
    ProfileObserved,
    ProfileRevoked,
    ReceiptIssued,
    RefundApproved,
    RefundDenied,
    RefundSettled,
    RequestRegistered,
    TopUpApplied,
    Usage,
)
from shared.ids import uuid7
from shared.sealed import Opener, Sealer, new_private_key
from shared.testing.documents import FieldValue, JsonObject
from shared.testing.running import RunningService
from shared.testing.stage import Stage
from shared.testing.stand_in import StandIn, standing_in

PLAN = Plan(id="tr-5gb", title="Turkey 5 GB", coverage=("TR",), data_mb=5120, validity_days=30, profile_type="TR-STD")


@dataclass
class Buyer:
    """A buyer with one order, and the facts about them."""

    email: str
    sealer: Sealer
    storefront: str = "esimka"
    language: str = "en"
    name: str = "Ann Lee"
    phone: str = "+995555000111"
    lpa: str = "LPA:1$smdp.sandbox.example$QQ7SECRETMATCHINGID2345678"
    buyer_id: UUID = field(default_factory=uuid7)
    order_id: UUID = field(default_factory=uuid7)
    refund_id: UUID = field(default_factory=uuid7)
    receipt_id: UUID = field(default_factory=uuid7)
    case_id: UUID = field(default_factory=uuid7)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def order(self) -> JsonObject:
        """The fields of every fact about the order."""
        return {
            "order_id": self.order_id,
            "order_number": "10000001",
            "storefront": self.storefront,
            "buyer_id": self.buyer_id,
        }

    def contact(self, email: str | None = None, *, later: float = 0, **more: FieldValue) -> BuyerContact:
        """The buyer's contact, `later` seconds after the first."""
        return BuyerContact(
            buyer_id=self.buyer_id,
            storefront=self.storefront,
            name=self.name,
            email=email or self.email,
            phone=more.pop("phone", self.phone),
            language=self.language,
            newsletter=more.pop("newsletter", False),
            updated_at=self.now + timedelta(seconds=later),
            **more,
        )

    def code(
        self, digits: str = "048151", *, channel: Literal["sms", "email"] = "sms", minutes: float = 15, **more: object
    ) -> ConfirmationRequested:
        """Ordering wants a request of the buyer confirmed."""
        return ConfirmationRequested(
            **self.order,
            confirmation_id=more.get("confirmation_id") or uuid7(),
            purpose=more.get("purpose", "contact_change"),
            channel=channel,
            code=self.sealer.seal(digits.encode()),
            requested_at=self.now,
            expires_at=self.now + timedelta(minutes=minutes),
        )

    def erasure(self) -> BuyerErasureRequested:
        """The buyer wants to be forgotten."""
        return BuyerErasureRequested(
            buyer_id=self.buyer_id, storefront=self.storefront, request_id=self.case_id, requested_at=self.now
        )

    def generated(self, confirmation_code: str | None = None) -> ProfileGenerated:
        """The profile is there."""
        return ProfileGenerated(
            **self.order,
            plan=PLAN,
            iccid="8999702000000000018",
            activation_code=self.sealer.seal(self.lpa.encode()),
            confirmation_code=self.sealer.seal(confirmation_code.encode()) if confirmation_code else None,
            apn="internet",
            operator="primary",
            paid_at=self.now,
            generated_at=self.now,
            valid_until=datetime(2027, 5, 19, 22, tzinfo=UTC),
        )

    def paid(self, *, kind: Kind = "esim", ago: float = 0) -> OrderPaid:
        """The money is captured, `ago` seconds before the other facts."""
        return OrderPaid(
            **self.order,
            kind=kind,
            plan=PLAN,
            paid=Money(amount=1299000, currency="KZT"),
            invoice_id="1000001",
            paid_at=self.now - timedelta(seconds=ago),
        )

    def receipt(self, kind: Literal["sale", "sale_return"] = "sale") -> ReceiptIssued:
        """The cash register has printed."""
        return ReceiptIssued(
            **self.order,
            receipt_id=self.receipt_id,
            kind=kind,
            amount=Money(amount=1299000, currency="KZT"),
            check_number="FS-778",
            ticket_url="https://ofd.example/t/778",
            issued_at=self.now,
        )

    def observed(self, **known: object) -> ProfileObserved:
        """What the operator says of the profile."""
        total = known.pop("total", 5 * 2**30)
        usage = Usage(used_bytes=known.pop("used", None), total_bytes=total, source="x", observed_at=self.now)
        return ProfileObserved(
            **self.order,
            iccid="8999702000000000018",
            operator="primary",
            install=InstallStatus(),
            usage=usage,
            observed_at=self.now,
            **known,
        )

    def topped_up(self, esim_order_id: UUID) -> TopUpApplied:
        """This order's top-up has reached another order's eSIM."""
        return TopUpApplied(
            **self.order,
            iccid="8999702000000000018",
            plan=PLAN,
            operator="primary",
            esim_order_id=esim_order_id,
            paid_at=self.now,
            applied_at=self.now,
        )

    def failed(self) -> ProfileFailed:
        """No profile will come."""
        return ProfileFailed(
            **self.order, plan=PLAN, operator="primary", reason="sold out", paid_at=self.now, failed_at=self.now
        )

    def held(self) -> OrderHeld:
        """Fraud control wants a person to look."""
        return OrderHeld(**self.order, rules=("orders_by_ip",), held_at=self.now)

    def released(self) -> OrderReleased:
        """A person has looked, and all is well."""
        return OrderReleased(**self.order, released_at=self.now)

    def lapsed(self) -> PaymentLapsed:
        """Nobody paid."""
        return PaymentLapsed(**self.order, lapsed_at=self.now)

    def expired(self) -> ProfileExpired:
        """The eSIM was not installed in time."""
        return ProfileExpired(**self.order, iccid="8999702000000000018", reason="never_activated", expired_at=self.now)

    def registered(self) -> RequestRegistered:
        """The request is complete and waits for support."""
        return RequestRegistered(
            **self.order,
            case_id=self.case_id,
            waits_for="support",
            received_at=self.now,
            answer_by=self.now + timedelta(days=14),
            explanation=Explanation(en="Support checks it.", ru="Поддержка проверяет."),
        )

    def cancelled(self) -> CancellationAccepted:
        """The buyer may cancel."""
        return CancellationAccepted(
            **self.order, case_id=self.case_id, policy="e-sim-onl@1", grounds=(), accepted_at=self.now
        )

    def refused(self) -> OrderRefused:
        """A person has looked."""
        return OrderRefused(**self.order, refused_at=self.now)

    def revoked(self) -> ProfileRevoked:
        """The code works no longer."""
        return ProfileRevoked(**self.order, iccid="8999702000000000018", reason="refund", revoked_at=self.now)

    def settled(self, **more: object) -> RefundSettled:
        """The bank has accepted the refund."""
        return RefundSettled(
            **self.order,
            refund_id=self.refund_id,
            amount=more.pop("amount", Money(amount=1299000, currency="KZT")),
            **more,
            settled_at=self.now,
            credited_from=date(2026, 11, 25),
            credited_by=date(2026, 12, 4),
            credited_at_latest=date(2026, 12, 20),
        )

    def denied(self, *, later: float = 0) -> RefundDenied:
        """The money stays."""
        return RefundDenied(
            **self.order,
            case_id=self.case_id,
            policy="esimka@1",
            grounds=(Ground(document="RF", clause="3.1", text="activated"),),
            explanation=Explanation(en="It was activated.", ru="Она активирована."),
            denied_at=self.now + timedelta(seconds=later),
        )

    def appealed(self) -> AppealReceived:
        """The buyer does not agree."""
        return AppealReceived(**self.order, case_id=self.case_id, received_at=self.now)

    def information(self) -> InformationNeeded:
        """The request lacks something."""
        return InformationNeeded(
            **self.order,
            case_id=self.case_id,
            missing=("full_name",),
            policy="esimka@1",
            grounds=(),
            explanation=Explanation(en="We lack something.", ru="Чего-то не хватает."),
            asked_at=self.now,
        )

    def refund(self, **more: object) -> RefundApproved:
        """The money goes back."""
        return RefundApproved(
            **self.order,
            case_id=uuid7(),
            refund_id=self.refund_id,
            amount=more.pop("amount", Money(amount=1299000, currency="KZT")),
            **more,
            policy="esimka@1",
            grounds=(Ground(document="RF", clause="2.3", text="not provided in time"),),
            explanation=Explanation(en="The eSIM could not be made.", ru="eSIM не удалось выпустить."),
            approved_at=self.now,
            credited_by=datetime(2026, 12, 20, tzinfo=UTC).date(),
        )


@dataclass
class Notifications(RunningService):
    """A running service and what a test asks it."""

    sandbox: RunningSandbox
    sealer: Sealer
    trace_file: Path

    @property
    def settings(self) -> Settings:
        """The settings that the service was started with."""
        assert isinstance(self.service.settings, Settings)
        return self.service.settings

    def buyer(self, mailbox: str = "buyer", **changes: FieldValue) -> Buyer:
        """A new buyer with the address `<mailbox>@example.org`."""
        return Buyer(f"{mailbox}@example.org", self.sealer, **changes)

    async def state(self, kind: str, subject: UUID) -> str | None:
        """How a mail stands."""
        found = await self.rows("SELECT state FROM mails WHERE kind = :k AND subject_id = :s", k=kind, s=subject)
        return found[0]["state"] if found else None

    async def mail(self, to: str, count: int = 1) -> list[JsonObject]:
        """Wait for so many mails to an address."""

        async def arrived() -> list[JsonObject] | None:
            mails = await self.sandbox.mails(to)
            return mails if len(mails) >= count else None

        return await self.stage.eventually(arrived)

    async def kinds(self, to: str, count: int) -> list[str]:
        """Wait for so many mails to an address; returns their kinds, sorted."""
        return sorted(kind_of(mail) for mail in await self.mail(to, count))


def listed(status: str, placed_at: datetime, *, order_id: UUID | str | None = None, plan: Plan = PLAN) -> JsonObject:
    """An order in ordering's list."""
    return {
        "order_id": str(order_id or uuid7()),
        "order_number": "20000002",
        "status": status,
        "placed_at": placed_at.isoformat(),
        "price": {"amount": 1500, "currency": "USD"},
        "plan": plan.model_dump(mode="json"),
    }


def kind_of(mail: JsonObject) -> str:
    """The kind of a mail, from its Message-ID."""
    return str(mail["message_id"]).partition("@")[0].rpartition(".")[2]


Start = Callable[..., Awaitable[Notifications]]


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox() as running:
        yield running


@pytest.fixture
async def start(stage: Stage, sandbox: RunningSandbox, tmp_path: Path) -> Start:
    """Start the service with these settings."""

    async def start(**overrides: object) -> Notifications:
        key = new_private_key()
        settings: JsonObject = {
            "smtp_host": sandbox.smtp_host,
            "smtp_port": sandbox.smtp_port,
            "smtp_timeout_seconds": 5.0,
            "seal_private_key": key,
            "gather_seconds": 0.3,
            "trace_file": tmp_path / "traces.jsonl",
            **overrides,
        }
        service = await stage.service(partial(build, clock=settings.pop("clock", None)), Settings, **settings)
        sealer = Sealer("notifications", Opener(key).public_key)
        return Notifications(service, stage, sandbox, sealer, settings["trace_file"])

    return start


@pytest.fixture
async def ordering() -> AsyncIterator[StandIn]:
    async with standing_in() as stand:
        yield stand


@pytest.fixture
async def refunds() -> AsyncIterator[StandIn]:
    async with standing_in() as stand:
        yield stand
