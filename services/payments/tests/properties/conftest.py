"""The world of a sequence: the service as a process, the sandbox's bank, and all who deal with them."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import httpx
import pytest
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined] # not in its __all__

from local_stack.ports import free_port
from payments.ledger import store as ledger
from payments.settings import Settings
from sandbox.storefront import HELD, IN_PROGRESS, INSUFFICIENT_FUNDS, SUCCESS, THREE_D_SECURE_FAILED
from sandbox.testing import RunningSandbox, running_sandbox
from shared.contracts import (
    DuplicateCharged,
    Money,
    OrderPaid,
    OrderPlaced,
    RefundFailed,
    RefundPaidByHand,
    RefundSettled,
)
from shared.database import Database
from shared.ids import uuid7
from shared.messaging.access import KafkaAccess
from shared.messaging.topics import owned_topics
from shared.testing.documents import Json, JsonObject
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.payments.tests.conftest import Facts

SOAK = int(os.environ.get("SOAK_EXAMPLES", "0"))
ORDERS = 6
PRICE = 500000
TERMINAL = "67e34d63-102f-4bd1-898e-370781d0074d"
CARDS = {
    "success": SUCCESS,
    "poor": INSUFFICIENT_FUNDS,
    "unsure": THREE_D_SECURE_FAILED,
    "progress": IN_PROGRESS,
    "held": HELD,
}
NEEDED: JsonObject = {"epay_terminal": TERMINAL, "public_url": "http://127.0.0.1", "storefront_keys": {}}
READS = (
    "ordering.order-placed",
    "ordering.buyer-contact",
    "refunds.refund-approved",
    "refunds.refund-retry-requested",
    "refunds.hand-payment-recorded",
    "refunds.hand-payment-decided",
)
#: Short patience, so that a sequence takes seconds.
BANK = {
    "EPAY_CLIENT_ID": "sandbox",
    "EPAY_CLIENT_SECRET": "sandbox-secret",
    "EPAY_TERMINAL": TERMINAL,
    "EPAY_TIMEOUT_SECONDS": "0.5",
    "STOREFRONT_KEYS": '{"qazaq-esim": "shop-key"}',
    "AGENT_KEYS": '{"anna": "agent-key"}',
    "CHECK_FIRST_SECONDS": "0.1",
    "POLL_FIRST_SECONDS": "0.4",
    "POLL_LONGEST_SECONDS": "0.5",
    "POLL_GIVE_UP_SECONDS": "2",
    "POLL_CONCURRENCY": "16",
    "ASKS_PER_SECOND": "1000",
    "REFUND_WAIT_SECONDS": "5",
    "REFUND_DOUBT_SECONDS": "1.2",
    "CHORE_SECONDS": "0.2",
    "DEAD_LETTER_LIMIT": "10000",
}
#: The name of a step, and its arguments.
Step = tuple[Json, ...]


@dataclass
class Life:
    """One order and what was done with it."""

    order: OrderPlaced
    pages: dict[str, JsonObject] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)


class World:
    """The service as a process, the bank in this one, and the hands of buyers, refunds, forgers and agents."""

    def __init__(
        self, stage: Stage, sandbox: RunningSandbox, facts: "Facts", url: str, environment: dict[str, str], log: Path
    ) -> None:
        self.stage = stage
        self.facts = facts
        self.sandbox = sandbox
        self.database = Database(url, pool_size=2)
        self.environment = environment
        self.log = log
        self.client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{environment['HTTP_PORT']}", trust_env=False, timeout=5
        )
        self.process: subprocess.Popen[bytes] | None = None
        self.lives: list[Life] = []
        self.approved_refunds: set[UUID] = set()
        self.agents = facts.agents(stage, self.database)
        self.parked: dict[str, float] = {}
        self.answered = self.deaths = 0

    # --- the process ----------------------------------------------------------------------------------------------

    async def start(self, failpoints: str = "") -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: ASYNC220 - our own program
                [sys.executable, "-m", "payments", "serve"],
                env={**self.environment, "FAILPOINTS": failpoints},
                stdout=log,
                stderr=log,
            )

    async def kill(self) -> None:
        if self.process is not None:
            self.deaths += 1
            self.process.kill()
            await asyncio.to_thread(self.process.wait)

    async def close(self) -> None:
        await self.client.aclose()
        await self.database.close()

    async def ensure_running(self) -> None:
        """Start it again where it died."""
        if self.process is None or self.process.poll() is not None:
            await self.start()

        async def ready() -> bool:
            if self.process is not None and self.process.poll() is not None:
                assert self.process.returncode == -signal.SIGKILL, self.log.read_text()[-3000:]
                self.deaths += 1
                await self.start()
            try:
                return (await self.client.get("/health/ready")).status_code == 200
            except httpx.HTTPError:
                return False

        await self.stage.eventually(ready, 60)

    async def ask(self, method: str, path: str, *, key: str = "shop-key", body: object = None) -> httpx.Response:
        """A request that is sent again until the process lives to answer it."""
        while True:
            try:
                return await self.client.request(method, path, json=body, headers={"authorization": f"Bearer {key}"})
            except httpx.HTTPError:
                await self.ensure_running()

    # --- one sequence ---------------------------------------------------------------------------------------------

    async def play(self, behaviour: JsonObject, steps: list[Step]) -> None:
        await self.sandbox.bank_behaviour(**behaviour)
        self.lives = [Life(self.facts.order_placed(price=Money(amount=PRICE, currency="KZT"))) for _ in range(ORDERS)]
        for life in self.lives:
            await self.stage.publish(life.order, self.facts.contact_of(life.order))
        for name, *arguments in steps:
            step: Callable[..., Awaitable[None]] = getattr(self, f"step_{name}")
            await step(*arguments)

    async def step_pay(self, index: int, card: str) -> None:
        life = self.lives[index]
        for _ in range(200):
            answer = await self.ask("POST", f"/orders/{life.order.order_id}/payment")
            if answer.status_code not in (404, 503):
                break
            await asyncio.sleep(0.05)
        if answer.status_code != 200:
            assert answer.status_code in (409, 502), answer.text
            return
        page = answer.json()
        life.pages[page["invoiceId"]] = page
        if page["invoiceId"] not in life.used:
            life.used.add(page["invoiceId"])
            await self.sandbox.pay(page, CARDS[card])

    async def step_expire(self, index: int) -> None:
        """As if the buyer had waited for a day."""
        async with self.database.transaction() as tx:
            await tx.execute(
                "UPDATE attempts SET state = 'expired' WHERE order_id = :id AND state = 'open'"
                " AND handed_out_at IS NOT NULL",
                id=self.lives[index].order.order_id,
            )

    async def step_settle(self, index: int, status: str) -> None:
        for invoice in self.lives[index].used:
            transaction = self.sandbox.stands.bank.ledger.by_invoice(invoice)
            if transaction is not None and transaction.status == "NEW":
                await self.sandbox.settle(invoice, status)
                return

    async def step_resend(self, index: int, times: int, fields: JsonObject) -> None:
        for invoice in sorted(self.lives[index].used):
            await self.sandbox.resend_webhook(invoice, times=times, fields=fields)

    async def step_forge(self, index: int, knows: bool) -> None:
        """Somebody claims a payment; perhaps one who knows the secret."""
        for invoice in sorted(self.lives[index].pages):
            secret = "0" * 32
            if knows:
                async with self.database.reading() as tx:
                    secret = (
                        await tx.execute("SELECT secret_hash FROM attempts WHERE invoice_id = :id", id=int(invoice))
                    ).scalar()
            body = {"id": str(uuid7()), "invoiceId": invoice, "code": "ok", "amount": 5000, "secret_hash": secret}
            answer = await self.ask("POST", "/epay/webhook", body=body)
            assert answer.status_code == (200 if knows else 403)

    async def step_refund(self, index: int, amount: int, surplus: bool, times: int) -> None:
        order = self.lives[index].order
        charge: UUID | None = None
        if surplus:
            async with self.database.reading() as tx:
                found = await tx.execute(
                    "SELECT charge_id FROM surplus_charges WHERE order_id = :id ORDER BY invoice_id", id=order.order_id
                )
            charge = found.scalar()
        approved = self.facts.refund_approved(order, amount, charge_id=charge)
        self.approved_refunds.add(approved.refund_id)
        await self.stage.publish(*[approved] * times)

    async def step_retry(self, index: int) -> None:
        await self.agents.retry(self.lives[index].order)

    async def step_hand(self, index: int, amount: int, confirmed: bool) -> None:
        await self.agents.pay(self.lives[index].order, amount, confirmed=confirmed)

    async def step_fault(self, target: str, effect: JsonObject, times: int) -> None:
        await self.sandbox.faults({"target": target, "times": times, **effect})

    async def step_refuse(self, target: str) -> None:
        await self.sandbox.faults({"target": target, "effect": "refuse", "code": 100, "times": 1})

    async def step_pause(self, tenths: int) -> None:
        await asyncio.sleep(tenths / 10)

    async def step_kill(self) -> None:
        await self.kill()
        await self.start()

    async def step_die(self, point: str, visit: int) -> None:
        await self.kill()
        await self.start(f"{point}={visit}")

    # --- the end --------------------------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Nothing fails any more; agents answer what waits for them; the day is compared with the bank, twice."""
        await self.sandbox.clear_faults()
        await self.quiet()
        await self.compare()
        await self.quiet()

    async def quiet(self) -> None:
        async def over() -> bool:
            await self.ensure_running()
            await self.sandbox.webhooks_idle()
            acted = await self.agents.over()
            async with self.database.reading() as tx:
                parked = (await tx.execute("SELECT kind, key, last_error FROM work WHERE state = 'parked'")).all()
                left = (
                    await tx.execute(
                        "SELECT (SELECT count(*) FROM work) + (SELECT count(*) FROM outbox)"
                        " + (SELECT count(*) FROM refunds WHERE state IN ('approved', 'calling'))"
                    )
                ).scalar()
                known = set((await tx.execute("SELECT refund_id FROM refunds")).scalars())
            for row in parked:
                assert row.kind == "refund", row
                await self.answer(row.key)
            return bool(left == 0 and known >= self.approved_refunds and acted)

        await self.stage.eventually(over, 60)

    async def answer(self, refund_id: str) -> None:
        """An agent looks into the bank's books."""
        # It does not look before what is on its way has arrived.
        if time.monotonic() - self.parked.setdefault(refund_id, time.monotonic()) < 1:
            return
        del self.parked[refund_id]
        self.answered += 1
        made = any(
            refund.external_id == refund_id for one in self.sandbox.stands.bank.ledger.book for refund in one.refunds
        )
        await self.ask("POST", f"/refunds/{refund_id}/finding", key="agent-key", body={"made": made})

    async def compare(self) -> list[JsonObject]:
        path = f"/reconciliations/{datetime.now(UTC).date()}"
        await self.ask("POST", path, key="agent-key")

        async def finished() -> JsonObject | None:
            found: JsonObject = (await self.ask("GET", path, key="agent-key")).json()
            return found if found.get("state") == "finished" else None

        return list((await self.stage.eventually(finished, 60))["differences"])

    async def judge(self) -> None:
        """By the bank's books, invoice by invoice and refund by refund."""
        bank = {
            int(one.invoice_id): (one.captured, one.refunded)
            for one in self.sandbox.stands.bank.ledger.book
            if one.captured
        }
        made = Counter(refund.external_id for one in self.sandbox.stands.bank.ledger.book for refund in one.refunds)
        async with self.database.reading() as tx:
            rows = await tx.execute(
                "SELECT invoice_id, COALESCE(sum(amount_minor) FILTER (WHERE debit = 'bank_clearing'), 0)::bigint AS i,"
                " COALESCE(sum(amount_minor) FILTER (WHERE credit = 'bank_clearing'), 0)::bigint AS o"
                " FROM ledger GROUP BY invoice_id"
            )
            ours = {row.invoice_id: (row.i, row.o) for row in rows}
            settled = set((await tx.execute("SELECT refund_id::text FROM refunds WHERE state = 'settled'")).scalars())
            payable = (
                await tx.execute(
                    "SELECT COALESCE(sum(CASE credit WHEN 'refunds_payable' THEN amount_minor"
                    " ELSE -amount_minor END), 0) FROM ledger WHERE 'refunds_payable' IN (credit, debit)"
                )
            ).scalar()
        assert ours == bank
        assert payable == 0
        assert set(made) == settled
        assert set(made.values()) <= {1}
        async with self.database.transaction() as tx:
            assert await ledger.check(tx, tx.now - timedelta(days=1), tx.now) == []
        assert await self.compare() == []

    async def judge_events(self) -> None:
        """The events are what happened: each order paid once, each surplus and each refund published once."""
        paid = Counter(one.event.order_id for one in await self.stage.all_events(OrderPaid))
        surplus = Counter(one.event.charge_id for one in await self.stage.all_events(DuplicateCharged))
        settled = Counter(one.event.refund_id for one in await self.stage.all_events(RefundSettled))
        failed = Counter(one.event.refund_id for one in await self.stage.all_events(RefundFailed))
        by_hand = Counter(one.event.payment_id for one in await self.stage.all_events(RefundPaidByHand))
        async with self.database.reading() as tx:
            kept = (await tx.execute("SELECT order_id FROM payment_orders WHERE captured_minor > 0")).scalars()
            charges = (await tx.execute("SELECT charge_id FROM surplus_charges")).scalars()
            refunds = {row.refund_id: row.state for row in await tx.execute("SELECT refund_id, state FROM refunds")}
            confirmed = (await tx.execute("SELECT payment_id FROM hand_payments WHERE state = 'confirmed'")).scalars()
        assert set(paid) == set(kept)
        assert set(surplus) == set(charges)
        assert set(settled) == {one for one, state in refunds.items() if state in ("settled", "paid_by_hand")}
        assert set(settled.values()) <= {1}
        assert set(failed) >= {one for one, state in refunds.items() if state in ("failed", "paid_by_hand")}
        assert by_hand == Counter(confirmed)
        if SOAK:
            sys.stdout.write(
                f"so far {len(paid)} paid, {len(surplus)} surplus, {len(settled)} refunds made, {len(failed)} refused,"
                f" {self.answered} answered by agents, {self.deaths} deaths\n"
            )


@pytest.fixture
async def world(stage: Stage, facts: "Facts", tmp_path: Path) -> AsyncIterator[World]:
    async with running_sandbox() as sandbox:
        port = free_port()
        chosen = await stage.settings(Settings, "payments", epay_adapter="instant", **NEEDED)
        await stage.ensure_topics([*owned_topics("payments"), *READS])
        environment = {
            **os.environ,
            "DATABASE_URL": chosen.database_url,
            "KAFKA_BOOTSTRAP_SERVERS": chosen.kafka_bootstrap_servers,
            "TOPIC_PREFIX": chosen.topic_prefix,
            "CONSUMER_SESSION_SECONDS": str(await asyncio.to_thread(_shortest_session, stage.kafka)),
            "HTTP_PORT": str(port),
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "EPAY_OAUTH_URL": f"{sandbox.bank_url}/oauth2/token",
            "EPAY_API_URL": sandbox.bank_api_url,
            **BANK,
        }
        made = World(stage, sandbox, facts, chosen.database_url, environment, tmp_path / "payments.log")
        try:
            await made.ensure_running()
            yield made
        finally:
            await made.kill()
            await made.close()


def _shortest_session(kafka: KafkaAccess) -> float:
    """How soon this broker gives a killed consumer's partitions to another, in seconds."""
    admin = AdminClient(kafka.librdkafka())
    broker = ConfigResource(ConfigResource.Type.BROKER, str(min(admin.list_topics(timeout=20).brokers)))
    found = admin.describe_configs([broker])[broker].result(20)
    return max(1.5, int(found["group.min.session.timeout.ms"].value) / 1000)
