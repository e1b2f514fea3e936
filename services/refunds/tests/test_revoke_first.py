"""I13: no money is returned while the code it paid for still works; whatever happens in between, and in any order."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from refunds.app import event_handlers
from refunds.cases import (
    AlreadyRefundedError,
    CaseMetrics,
    CaseService,
    CaseState,
    Finding,
    Fingerprints,
    NotAllowedError,
    NotPaidError,
    Patience,
    Request,
    UnknownOrderError,
    case_state,
    load,
)
from refunds.cases.models.case import RefundOutcome
from refunds.cases.scheduled_jobs import CaseJobs
from refunds.policy import REQUEST_FIELDS, OrderPolicies
from refunds.policy.store import policies_in
from shared.contracts import OrderEvent, RefundApproved, RevocationRequested
from shared.database import Database, Tx
from shared.ids import uuid7
from shared.messaging.consumer import Received
from shared.testing.documents import Row
from shared.testing.shops import EXAMPLES

if TYPE_CHECKING:
    from services.refunds.tests.conftest import Life

FINGERPRINTS = Fingerprints(b"test")
CASE_SERVICE = CaseService(
    OrderPolicies(lambda: policies_in(EXAMPLES)),
    CaseMetrics(CollectorRegistry()),
    FINGERPRINTS,
    patience=Patience(observation=timedelta(hours=24), retry=timedelta(0)),
    keep_notes=timedelta(days=1),
)
HANDLERS = event_handlers(CASE_SERVICE)
SHOPS = ("e-sim-onl", "esimka", "qazaq-esim")
ACTIONS = (
    *("paid_for", "generated", "delivered", "ask", "ask", "complete", "failure_found", "law_named", "scan", "use"),
    *("report", "report", "silence", "old_report", "operator", "operator", "timer"),
)
#: Where a case may stand when the operator has answered everything and nothing more happens.
QUIET = {
    CaseState.SETTLED,
    CaseState.PAYING,
    CaseState.DENIED,
    CaseState.SUPERSEDED,
    CaseState.INFORMATION_NEEDED,
    CaseState.SUPPORT,
    CaseState.RESTORATION,
    CaseState.NEEDS_PERSON,
}


class World:
    """One order, its profile as it really is, and a bank that pays whatever is approved."""

    def __init__(self, database: Database, life: "type[Life]", shop: str) -> None:
        self.database = database
        paid_at = database.clock.now() - timedelta(days=1)
        self.life = life(shop, "KZT" if shop == "qazaq-esim" else "USD", paid_at)
        self.reason = "technical_failure" if shop == "qazaq-esim" else "changed_mind"
        self.state, self.used, self.revoked = "released", 0, False
        self.asked: list[UUID] = []
        self.reports: list[OrderEvent] = []
        self.paid: list[RefundApproved] = []

    async def apply(self, *events: OrderEvent) -> None:
        async with self.database.transaction("test") as tx:
            for event in events:
                await HANDLERS[type(event)](tx, [Received(event, uuid7(), tx.now, None)])
            self.watch(tx)

    def watch(self, tx: Tx) -> None:
        for outgoing in tx.outgoing:
            event = outgoing.event
            if isinstance(event, RevocationRequested):
                self.asked.append(event.case_id)
            elif isinstance(event, RefundApproved):
                self.paid.append(event)
                if event.code != "kept":
                    assert self.revoked, "the money went while the code still works"
                else:
                    assert event.grounds[0].clause == "2.5" or event.grounds[0].document == "§"

    async def attempt(self, act: Callable[[Tx], Awaitable[object]]) -> None:
        """What a shop or an agent does; whatever is not allowed now changes nothing."""
        try:
            async with self.database.transaction("test") as tx:
                await act(tx)
                self.watch(tx)
        except (NotPaidError, UnknownOrderError, AlreadyRefundedError, NotAllowedError):
            return

    async def open(self, fields: frozenset[str]) -> None:
        asked = Request(reason=self.reason, channel="form", origin="buyer", provided=fields)
        await self.attempt(lambda tx: CASE_SERVICE.open_case(tx, self.life.order_id, asked, who="test", trace=None))

    async def find(self, found: Finding) -> None:
        case = await self.case()
        if case is not None:
            await self.attempt(
                lambda tx: CASE_SERVICE.find(tx, self.life.order_id, "agent:anna", found, case.case_id, None)
            )

    async def case(self) -> Row:
        async with self.database.reading() as tx:
            file = (await load(tx, [self.life.order_id])).get(self.life.order_id)
        return file.cases[0] if file is not None and file.cases else None

    async def report(self, *, knows: bool = True) -> None:
        case, now = await self.case(), self.database.clock.now()
        event = self.life.observed(
            now,
            None if case is None else case.case_id,
            state=self.state if knows else "unknown",
            used_bytes=self.used if knows else None,
        )
        self.reports.append(event)
        await self.apply(event)

    async def operator(self) -> None:
        """Provisioning revokes what cases asked for; what a phone has is not taken back."""
        asked, self.asked = self.asked, []
        for case_id in asked:
            if self.state == "released":
                self.revoked = True
                await self.apply(self.life.revoked(case_id))
            else:
                await self.apply(self.life.revocation_refused(case_id, at=self.database.clock.now()))

    async def act(self, action: str) -> None:
        await getattr(self, action)()

    async def paid_for(self) -> None:
        await self.apply(self.life.paid())

    async def generated(self) -> None:
        await self.apply(self.life.generated())

    async def delivered(self) -> None:
        await self.apply(self.life.delivered())

    async def ask(self) -> None:
        await self.open(frozenset({"order_number", "reason"}))

    async def complete(self) -> None:
        await self.open(frozenset(REQUEST_FIELDS))

    async def failure_found(self) -> None:
        await self.find(Finding(finding="technical_failure"))

    async def law_named(self) -> None:
        await self.find(Finding(legal_rule="a law"))

    async def scan(self) -> None:
        if not self.revoked and self.state == "released":
            self.state = "downloaded"

    async def use(self) -> None:
        if self.state != "released":
            self.state, self.used = "enabled", self.used + 4 * 10**9

    async def silence(self) -> None:
        await self.report(knows=False)

    async def old_report(self) -> None:
        if self.reports:
            await self.apply(self.reports[0])

    async def timer(self) -> None:
        await self.attempt(lambda tx: CASE_SERVICE.decide(tx, [self.life.order_id]))

    async def end(self) -> None:
        """Everybody answers; then every case has ended, or waits for somebody who is named."""
        for action in ("paid_for", "generated", "delivered"):
            await self.act(action)
        for _ in range(4):
            await self.report()
            await self.operator()
        async with self.database.reading() as tx:
            file = (await load(tx, [self.life.order_id]))[self.life.order_id]
        for case in file.cases:
            assert case_state(case, file.refund(case)) in QUIET
        assert len(self.paid) <= 1
        assert not self.revoked or self.paid, "the code was taken, and the money kept"


@pytest.mark.timeout(600)
async def test_no_money_goes_back_while_the_code_still_works(database_url: str, life: "type[Life]") -> None:
    database = Database(database_url)
    loop = asyncio.get_running_loop()

    async def run(shop: str, actions: list[str]) -> None:
        world = World(database, life, shop)
        for action in actions:
            await world.act(action)
        await world.end()

    @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    @given(st.sampled_from(SHOPS), st.lists(st.sampled_from(ACTIONS), max_size=14))
    def interleaved(shop: str, actions: list[str]) -> None:
        asyncio.run_coroutine_threadsafe(run(shop, ["paid_for", *actions]), loop).result(60)

    try:
        await asyncio.to_thread(interleaved)
    finally:
        await database.close()


class Shifted:
    """Our clock, moved on by hand."""

    def __init__(self) -> None:
        self.by = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.by


async def waiting(database_url: str, life: "type[Life]", *, paying: bool) -> tuple[World, Shifted]:
    """A case that waits for the operator: to say how the profile is, or (`paying`) to revoke it."""
    clock = Shifted()
    world = World(Database(database_url, clock=clock), life, "e-sim-onl")
    for action in ("paid_for", "generated", "delivered", "complete", "report" if paying else "silence"):
        await world.act(action)
    return world, clock


@pytest.mark.parametrize("paying", [True, False])
async def test_an_operator_that_never_answers_leads_to_a_person_after_a_day(
    database_url: str, life: "type[Life]", paying: bool
) -> None:
    world, clock = await waiting(database_url, life, paying=paying)
    try:
        for hours, why in ((23, None), (2, "revocation_unanswered" if paying else "observation_unanswered")):
            clock.by += timedelta(hours=hours)
            await world.timer()
            case = await world.case()
            assert (case.person_why, case.person_since is not None) == (why, why is not None)
        assert (case.possible is None) is paying
        since = case.person_since
        clock.by += timedelta(hours=1)
        await world.timer()
        assert (await world.case()).person_since == since
        # What it says in the end still ends the case, without anybody's doing.
        await world.report()
        await world.operator()
        assert len(world.paid) == 1
        assert (await world.case()).person_since is None
    finally:
        await world.database.close()


async def test_an_operator_that_does_not_know_is_asked_more_and_more_seldom(
    database_url: str, life: "type[Life]"
) -> None:
    world, clock = await waiting(database_url, life, paying=False)
    try:
        asked = 0
        for _ in range(24 * 12):
            clock.by += timedelta(minutes=5)
            before = (await world.case()).observation_asked_at
            await world.timer()
            asked += (await world.case()).observation_asked_at != before
        assert 15 < asked < 40
    finally:
        await world.database.close()


async def test_what_an_earlier_release_left_after_the_revocation_is_paid(database_url: str, life: "type[Life]") -> None:
    """An instance of release 1.0 beside this one stores the revocation, and asks the buyer for more."""
    world, _ = await waiting(database_url, life, paying=True)
    jobs = CaseJobs(world.database, CASE_SERVICE.context)
    try:
        await jobs.decide_undecided()
        assert (await world.case()).refund_id is None, "the code still works"
        async with world.database.transaction("test") as tx:
            order = world.life.order_id
            await tx.execute("UPDATE order_facts SET revoked_at = :now WHERE order_id = :id", now=tx.now, id=order)
            asked = "UPDATE cases SET verdict = 'await_information', asked_for = '[\"email\"]' WHERE order_id = :id"
            await tx.execute(asked, id=order)
        await jobs.decide_undecided()
        case = await world.case()
        assert case_state(case, RefundOutcome()) == CaseState.PAYING
        assert case.amount_minor == world.life.money.amount
        await jobs.decide_undecided()
        assert await world.case() == case
    finally:
        await world.database.close()
