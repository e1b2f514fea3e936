"""Payments on a stage, with a bank to talk to and a storefront that asks."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from local_stack.ports import free_port
from payments.app import build
from payments.settings import Settings
from sandbox.storefront import IN_PROGRESS, SUCCESS, Card
from sandbox.testing import RunningSandbox, running_sandbox
from shared.contracts import (
    BuyerContact,
    DuplicateCharged,
    Explanation,
    Ground,
    HandPaymentDecided,
    HandPaymentRecorded,
    Money,
    OrderEvent,
    OrderPaid,
    OrderPlaced,
    Plan,
    RefundActionAnswered,
    RefundApproved,
    RefundFailed,
    RefundRetryRequested,
    order_fields,
)
from shared.database import Database
from shared.ids import uuid7
from shared.testing.documents import FieldValue, JsonObject
from shared.testing.running import RunningService
from shared.testing.stage import Stage

TERMINAL = "67e34d63-102f-4bd1-898e-370781d0074d"
PLAN = Plan(id="tr-5gb", title="Turkey 5 GB", coverage=("TR",), data_mb=5120, validity_days=30, profile_type="TR-STD")


def order_placed(**changes: object) -> OrderPlaced:
    fields: JsonObject = {
        "order_id": uuid7(),
        "order_number": "10000001",
        "storefront": "qazaq-esim",
        "buyer_id": uuid7(),
        "kind": "esim",
        "plan": PLAN,
        "price": Money(amount=599050, currency="KZT"),
        "offer_version": "1",
        "privacy_version": "1",
        "placed_at": datetime.now(UTC),
    }
    return OrderPlaced.model_validate(fields | changes)


def contact_of(order: OrderPlaced, **changes: object) -> BuyerContact:
    fields: JsonObject = {
        "buyer_id": order.buyer_id,
        "storefront": order.storefront,
        "name": "Aigerim Test",
        "email": "aigerim@example.kz",
        "phone": "+77010000001",
        "language": "ru",
        "newsletter": False,
        "updated_at": datetime.now(UTC),
    }
    return BuyerContact.model_validate(fields | changes)


def refund_approved(order: OrderPlaced, minor: int, **changes: object) -> RefundApproved:
    fields: JsonObject = {
        **order_fields(order),
        "case_id": uuid7(),
        "refund_id": uuid7(),
        "amount": Money(amount=minor, currency=order.price.currency),
        "policy": "qazaq-esim@1",
        "grounds": (Ground(document="RP", clause="2.1", text="failure"),),
        "explanation": Explanation(en="failure", ru="сбой"),
        "approved_at": datetime.now(UTC),
        "credited_by": datetime.now(UTC).date() + timedelta(days=14),
    }
    return RefundApproved.model_validate(fields | changes)


def retry_requested(about: JsonObject, **changes: object) -> RefundRetryRequested:
    """`about`: the fields of an order event, and the refund's id."""
    fields = {"case_id": uuid7(), "action_id": uuid7(), "requested_by": uuid7(), "requested_at": datetime.now(UTC)}
    return RefundRetryRequested(**about | fields | changes)


def hand_payment(about: JsonObject, minor: int, **changes: object) -> HandPaymentRecorded:
    fields = {
        "case_id": uuid7(),
        "payment_id": uuid7(),
        "amount": Money(amount=minor, currency="KZT"),
        "way": "bank_transfer",
        "reference": "PO 2026-114",
        "recorded_by": uuid7(),
        "recorded_at": datetime.now(UTC),
    }
    return HandPaymentRecorded(**about | fields | changes)


def hand_decision(about: JsonObject, payment_id: UUID, *, confirmed: bool, **changes: object) -> HandPaymentDecided:
    fields = {
        "case_id": uuid7(),
        "decision_id": uuid7(),
        "decided_by": uuid7(),
        "decided_at": datetime.now(UTC),
        "payment_id": payment_id,
        "confirmed": confirmed,
    }
    return HandPaymentDecided(**about | fields | changes)


class Agents:
    """Agents who act on whatever refunds an order has, also too early and too late; a second one decides at once."""

    def __init__(self, stage: Stage, database: Database) -> None:
        self._stage, self._database = stage, database
        self._acted: set[UUID] = set()

    async def retry(self, order: OrderPlaced) -> None:
        for about, _ in await self._refunds(order):
            retry = retry_requested(about)
            self._acted.add(retry.action_id)
            await self._stage.publish(retry, retry)

    async def pay(self, order: OrderPlaced, amount: int, *, confirmed: bool) -> None:
        for about, whole in await self._refunds(order):
            payment = hand_payment(about, min(amount, whole))
            self._acted.add(payment.payment_id)
            await self._stage.publish(payment)
            await self._decide(about, payment.payment_id, confirmed=confirmed)

    async def over(self) -> bool:
        """Every action is answered, and no payment waits: a decision that came before its payment is made again."""
        async with self._database.reading() as tx:
            answered = set((await tx.execute("SELECT action_id FROM refund_actions")).scalars())
            sql = "SELECT r.*, h.payment_id FROM hand_payments h JOIN refunds r USING (refund_id)"
            waiting = (await tx.execute(f"{sql} WHERE h.state = 'recorded'")).all()
        for row in waiting if answered >= self._acted else ():
            await self._decide(_about(row), row.payment_id, confirmed=True)
        return answered >= self._acted and not waiting

    async def _decide(self, about: JsonObject, payment_id: UUID, *, confirmed: bool) -> None:
        decision = hand_decision(about, payment_id, confirmed=confirmed)
        self._acted.add(decision.decision_id)
        await self._stage.publish(decision, decision)

    async def _refunds(self, order: OrderPlaced) -> list[tuple[JsonObject, int]]:
        async with self._database.reading() as tx:
            sql = "SELECT * FROM refunds WHERE order_id = :id ORDER BY refund_id"
            rows = (await tx.execute(sql, id=order.order_id)).all()
        return [(_about(row), row.amount_minor) for row in rows]


def _about(row: object) -> JsonObject:
    return {name: getattr(row, name) for name in (*OrderEvent.model_fields, "refund_id")}


@dataclass
class Payments(RunningService):
    """A running service and what a test asks it."""

    sandbox: RunningSandbox
    trace_file: Path

    order_placed = staticmethod(order_placed)
    contact_of = staticmethod(contact_of)
    refund_approved = staticmethod(refund_approved)
    retry_requested = staticmethod(retry_requested)
    hand_payment = staticmethod(hand_payment)
    hand_decision = staticmethod(hand_decision)
    agents = Agents

    async def post(
        self, path: str, *, key: str | None = "shop-key", json: object = None, content: bytes | None = None
    ) -> httpx.Response:
        return await self.request("POST", path, key=key, json=json, content=content)

    async def ordered(self, *, trace: str | None = None, **changes: FieldValue) -> OrderPlaced:
        """An order with its buyer's contact, known to payments."""
        order = order_placed(**changes)
        await self.stage.publish(order, contact_of(order), trace=trace)
        return order

    async def page(self, order: OrderPlaced, **body: object) -> JsonObject:
        """The payment object, as soon as there is one."""

        async def ready() -> JsonObject | None:
            answer = await self.post(f"/orders/{order.order_id}/payment", json=body)
            assert answer.status_code in (200, 404), answer.text
            return answer.json() if answer.status_code == 200 else None

        return await self.stage.eventually(ready)

    async def paid(self, card: Card = SUCCESS, **changes: FieldValue) -> OrderPlaced:
        """An order that was paid, as the bank confirmed."""
        order = await self.ordered(**changes)
        await self.sandbox.pay(await self.page(order), card)
        await self.paid_event(order)
        return order

    async def paid_event(self, order: OrderPlaced) -> OrderPaid:
        found = await self.stage.events(OrderPaid, where=lambda e: e.order_id == order.order_id)
        return found[0].event

    async def paid_twice(self) -> tuple[OrderPlaced, DuplicateCharged]:
        """An order with two captures: the first attempt looked failed, was followed by another, and went through.

        Start the service with `poll_first_seconds=600`, so that nobody asks about the first one meanwhile.
        """
        order = await self.ordered()
        first = await self.page(order)
        await self.sandbox.pay(first, IN_PROGRESS)
        async with self.service.database.transaction() as tx:
            await tx.execute("UPDATE attempts SET state = 'failed' WHERE order_id = :id", id=order.order_id)
        await self.sandbox.pay(await self.page(order))
        await self.paid_event(order)
        await self.sandbox.settle(first["invoiceId"])
        [charged] = await self.stage.events(DuplicateCharged, where=lambda e: e.order_id == order.order_id)
        return order, charged.event

    async def bank_says(self) -> dict[int, tuple[int, int]]:
        """By invoice, what the bank took and gave back, where it took anything; minor units."""
        ledger = await self.sandbox.ledger_bank()
        return {int(one["invoiceID"]): (one["captured"], one["refunded"]) for one in ledger if one["captured"]}

    async def ledger_says(self) -> dict[int, tuple[int, int]]:
        """The same by our ledger."""
        rows = await self.rows(
            "SELECT invoice_id, sum(amount_minor) FILTER (WHERE debit = 'bank_clearing')::bigint AS taken,"
            " COALESCE(sum(amount_minor) FILTER (WHERE credit = 'bank_clearing'), 0)::bigint AS returned"
            " FROM ledger GROUP BY invoice_id"
        )
        return {row["invoice_id"]: (row["taken"], row["returned"]) for row in rows}

    async def compared(self) -> JsonObject:
        """Today's comparison with the bank, which this asks for."""
        path = f"/reconciliations/{datetime.now(UTC).date()}"
        assert (await self.request("POST", path, key="agent-key")).status_code == 202

        async def finished() -> JsonObject | None:
            found: JsonObject = (await self.get(path)).json()
            return found if found["state"] == "finished" else None

        return await self.stage.eventually(finished)

    async def quiet(self) -> None:
        """All due work is over, but for what is parked; all events are out."""

        async def over() -> bool:
            [row] = await self.rows(
                "SELECT (SELECT count(*) FROM work WHERE state <> 'parked')::int"
                " + (SELECT count(*) FROM outbox)::int AS left"
            )
            return bool(row["left"] == 0)

        await self.stage.eventually(over)


Action = RefundRetryRequested | HandPaymentRecorded | HandPaymentDecided


class RefusedRefund:
    """An order whose refund the bank has refused, and what agents do about it (as refunds publishes it)."""

    def __init__(self, running: Payments, approved: RefundApproved) -> None:
        self.running = running
        self.approved = approved
        self.refund_id: UUID = approved.refund_id
        self._about = _about(approved)

    def retry(self) -> RefundRetryRequested:
        return retry_requested(self._about)

    def payment(self, minor: int | None = None, **changes: object) -> HandPaymentRecorded:
        return hand_payment(self._about, minor or self.approved.amount.amount, **changes)

    def decision(
        self, payment: HandPaymentRecorded, *, confirmed: bool = True, **changes: object
    ) -> HandPaymentDecided:
        return hand_decision(self._about, payment.payment_id, confirmed=confirmed, **changes)

    async def does(self, *actions: Action) -> list[str | None]:
        """Publish actions one after the other; what payments answered to each: None, or why not."""
        answers = []
        for action in actions:
            await self.running.stage.publish(action)
            answers.append(await self.answer(action))
        return answers

    async def answer(self, action: Action) -> str | None:
        names = {RefundRetryRequested: "action_id", HandPaymentRecorded: "payment_id"}
        key = getattr(action, names.get(type(action), "decision_id"))
        [found] = await self.running.stage.events(RefundActionAnswered, where=lambda e: e.action_id == key)
        assert found.event.accepted == (found.event.reason is None)
        return found.event.reason

    async def state(self) -> str:
        [row] = await self.running.rows("SELECT state FROM refunds WHERE refund_id = :id", id=self.refund_id)
        return str(row["state"])

    async def out(self) -> tuple[int, int]:
        """What went out: by the bank's own ledger, and by hand in ours."""
        await self.running.quiet()
        bank = sum(one["refunded"] for one in await self.running.sandbox.ledger_bank())
        answer = await self.running.get(f"/orders/{self.approved.order_id}/ledger")
        books = answer.json()
        assert books["paid_out"] == bank + books["paid_by_hand"]
        assert sum(books["balances"].values()) == 0
        assert await self.running.rows("SELECT * FROM ledger_imbalances") == []
        return bank, books["paid_by_hand"]


Facts = type[Payments]
Start = Callable[..., Awaitable[Payments]]
Refuse = Callable[..., Awaitable[RefusedRefund]]


@pytest.fixture
def case_of() -> type[RefusedRefund]:
    """A refund and what agents do about it."""
    return RefusedRefund


@pytest.fixture
async def refused() -> Refuse:
    """An order whose refund the bank refuses, and goes on refusing."""

    async def refused(running: Payments, minor: int = 599050) -> RefusedRefund:
        order = await running.paid()
        await running.sandbox.faults({"target": "bank.refund", "effect": "refuse", "code": 123, "message": "no"})
        approved = running.refund_approved(order, minor)
        await running.stage.publish(approved)
        await running.stage.events(RefundFailed, where=lambda e: e.refund_id == approved.refund_id)
        return RefusedRefund(running, approved)

    return refused


@pytest.fixture
def facts() -> Facts:
    """Makes order_placed, contact_of and refund_approved, for tests that run the service themselves."""
    return Payments


@pytest.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox() as running:
        yield running


@pytest.fixture
async def start(stage: Stage, sandbox: RunningSandbox, tmp_path: Path) -> Start:
    """Start the service with these settings, at an address the bank can call back."""

    async def start(**overrides: object) -> Payments:
        port = free_port()
        settings: JsonObject = {
            "epay_oauth_url": f"{sandbox.bank_url}/oauth2/token",
            "epay_api_url": sandbox.bank_api_url,
            "epay_client_id": "sandbox",
            "epay_client_secret": "sandbox-secret",
            "epay_terminal": TERMINAL,
            "epay_timeout_seconds": 5.0,
            "public_url": f"http://127.0.0.1:{port}",
            "storefront_keys": {"qazaq-esim": "shop-key", "esimka": "other-key"},
            "agent_keys": {"anna": "agent-key"},
            "check_first_seconds": 0.1,
            "refund_doubt_seconds": 1.0,
            "chore_seconds": 0.2,
            "trace_file": tmp_path / "traces.jsonl",
            **overrides,
        }
        service = await stage.service(lambda s: build(s.model_copy(update={"http_port": port})), Settings, **settings)
        return Payments(service, stage, sandbox, settings["trace_file"])

    return start
