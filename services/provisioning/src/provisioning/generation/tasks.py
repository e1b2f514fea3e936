"""Task `provision`: has one profile made for a paid order, at the first operator that can, until the order's deadline.

**Never two usable profiles for one order** (invariant I4). The order moves to the next operator only when this one
- certainly made nothing (it was unreachable, refused, or is out of stock): nothing is left to do there; or
- may have made something (a lost reply, then no answer). The activation code of that profile was never published. The
  transaction that moves the order also closes this attempt, so that no later answer can be delivered, and schedules a
  withdrawal, which is repeated until that operator confirms it. The move does not wait for the withdrawal, because the
  buyer would wait for an operator that does not answer; nobody can use a profile whose 130-bit code is unknown.
The same happens where an operator has made a profile but does not tell all that its code needs: the order moves to that
operator again, under a new ICCID and matching id.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from prometheus_client import CollectorRegistry, Counter

from provisioning.clients.models import (
    CallOutcome,
    OperatorNotSent,
    OperatorProfile,
    OperatorRefused,
    OperatorUnknown,
    Statuses,
    reason_with_codes,
)
from provisioning.generation import store
from provisioning.generation.models import (
    Attempt,
    AttemptState,
    GeneratedProfile,
    NextOperator,
    ProvisionPayload,
    Settlement,
)
from provisioning.generation.publishing import ProfilePublisher
from provisioning.generation.rules.failover import DEADLINE, gave_up, in_the_end, next_offer, pause
from provisioning.generation.store import Move
from provisioning.operators import Operators, new_identities
from provisioning.operators.rules.routing import Offer
from provisioning.settings import Settings
from provisioning.withdrawal.models import ANOTHER_IDENTITY, WithdrawalPayload
from shared.contracts import ProfileFailed
from shared.database import Database, Tx
from shared.outcomes import Done, NotDue, NotSent, Outcome, Unknown
from shared.tasks import Task, TaskResult
from shared.tasks.worker import backoff
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
ProvisionTask = Task[ProvisionPayload]
ProvisionOutcome = Outcome[OperatorProfile | NextOperator]
ProvisionResult = TaskResult[OperatorProfile | NextOperator, ProvisionPayload]


class Provision:
    """Orders at one operator. Each operator has a queue of its own, so that a slow one delays its own orders only."""

    payload = ProvisionPayload

    def __init__(
        self,
        settings: Settings,
        operators: Operators,
        name: str,
        publisher: ProfilePublisher,
        database: Database,
        outcomes: Counter,
    ) -> None:
        self.kind = operators.kind("provision", name)
        self.concurrency = operators.settings[name].concurrency
        self._attempts_per_operator = settings.failover_attempts
        self._operators = operators
        self._name = name
        self._publisher = publisher
        self._database = database
        self._outcomes = outcomes

    # --- the call -------------------------------------------------------------------------------------------------

    async def perform(self, task: ProvisionTask) -> ProvisionOutcome:
        """Order from the operator. Each order is tried at least once, even one that was read after its deadline."""
        started = task.attempts or task.uncertain or task.payload.tried
        if started and self._database.clock.now() >= task.payload.deadline:
            reason, statuses = await self._last_answer(task)
            return gave_up(reason, statuses, left_behind=task.uncertain)
        name = self._operator(task)
        outcome: CallOutcome[OperatorProfile] = NotDue(timedelta(seconds=1), "is not configured any more")
        if name in self._operators:
            wanted = task.payload.wanted(uncertain=task.uncertain)
            outcome = await self._operators[name].order(wanted, trace=task.continues)
        match outcome:
            case Done():
                return outcome
            case OperatorRefused():
                refusal = replace(outcome, left_behind=outcome.left_behind or task.uncertain)
                state: AttemptState = "abandoned" if refusal.left_behind else "refused"
                left = Attempt(operator=name, state=state, reason=refusal.reason, statuses=refusal.statuses)
                step = self._next_operator(task, left)
                if refusal.identity_used and (step is None or not _had_new_identity(task, name)):
                    step = NextOperator(Offer(name, task.payload.operators_profile_type), left)
                return Done(step) if step else refusal
        return await self._without_result(task, name, outcome)

    async def _without_result(
        self, task: ProvisionTask, name: str, outcome: OperatorNotSent | NotDue | OperatorUnknown
    ) -> ProvisionOutcome:
        """Try the next operator where this one is unavailable or had its attempts; else repeat, until the deadline."""
        called = not isinstance(outcome, NotDue)
        uncertain = task.uncertain or isinstance(outcome, OperatorUnknown)
        statuses: Statuses = () if isinstance(outcome, NotDue) else outcome.statuses
        if statuses:
            async with self._database.transaction("work") as tx:
                await store.keep_statuses(tx, UUID(task.key), statuses)
        unavailable = name not in self._operators or self._operators[name].open()
        if unavailable or (called and task.attempts + 1 >= self._attempts_per_operator):
            left = Attempt(
                operator=name, state="abandoned" if uncertain else "waiting", reason=outcome.reason, statuses=statuses
            )
            if step := self._next_operator(task, left, counted=called):
                return Done(step)
        wait = outcome.retry_after if isinstance(outcome, NotDue) else backoff(task.attempts)
        delay = pause(wait, self._database.clock.now(), task.payload.deadline)
        if delay is None:
            last_reason, last_statuses = await self._last_answer(task)
            reason = outcome.reason if called else last_reason
            return gave_up(reason, statuses or last_statuses, left_behind=uncertain)
        if isinstance(outcome, NotDue):
            return NotDue(delay, outcome.reason)
        reason = reason_with_codes(outcome)
        return Unknown(reason, delay) if uncertain else NotSent(reason, delay)

    def _next_operator(self, task: ProvisionTask, left: Attempt, *, counted: bool = True) -> NextOperator | None:
        """The step to the best operator that may be tried, if there is one."""
        payload = task.payload
        offers = self._operators.offers(payload.storefront, payload.plan.profile_type)
        offer = next_offer(offers, left.operator, payload.tried, lambda other: self._operators[other].open())
        return NextOperator(offer, left, counted) if offer else None

    async def _last_answer(self, task: ProvisionTask) -> tuple[str, Statuses]:
        async with self._database.reading() as tx:
            return await store.last_answer(tx, UUID(task.key), task.id)

    def _operator(self, task: ProvisionTask) -> str:
        return task.payload.operator or self._name

    # --- the result -----------------------------------------------------------------------------------------------

    async def record(self, tx: Tx, results: Sequence[ProvisionResult]) -> None:
        """Settle orders that ended and publish it; move the others to their next operator."""
        settled: list[ProvisionResult] = []
        steps: list[tuple[ProvisionTask, NextOperator]] = []
        for result in sorted(results, key=lambda result: result.task.key):
            match result.outcome:
                case Done(NextOperator() as step):
                    steps.append((result.task, step))
                case _:
                    settled.append(result)
        if settled:
            await self._settle(tx, settled)
        if steps:
            await self._move(tx, steps)

    async def _settle(self, tx: Tx, results: Sequence[ProvisionResult]) -> None:
        """Publish ProfileGenerated or ProfileFailed, once for each order."""
        settlements = {result.task.key: self._settlement(result) for result in results}
        settled = await store.settle(tx, list(settlements.values()))
        generated = []
        for result in results:
            task, settlement = result.task, settlements[result.task.key]
            if settlement.order_id not in settled:
                continue
            self._outcomes.labels(_label(result)).inc()
            if settlement.profile is not None:
                generated.append(self._generated(tx, task, settlement.profile))
                continue
            failed = ProfileFailed(
                **task.payload.order_fields(task.key),
                operator=self._operator(task),
                statuses=settlement.statuses,
                reason=settlement.reason or "",
                failed_at=tx.now,
            )
            tx.publish(failed, trace=task.continues)
            if isinstance(result.outcome, OperatorRefused) and result.outcome.left_behind:
                self._withdraw(tx, task)
        await self._publisher.publish(tx, generated)

    def _settlement(self, result: ProvisionResult) -> Settlement:
        task = result.task
        order_id, attempts = UUID(task.key), task.attempts + 1
        match result.outcome:
            case Done(OperatorProfile() as profile):
                return Settlement(order_id, attempts, profile)
            case OperatorRefused() as refusal:
                reason, statuses = in_the_end(self._operator(task), refusal, task.payload.tried)
                return Settlement(order_id, attempts, reason=reason, statuses=statuses)
        raise AssertionError("an order ends with a profile or a refusal")

    def _generated(self, tx: Tx, task: ProvisionTask, profile: OperatorProfile) -> GeneratedProfile:
        payload, operator = task.payload, self._operator(task)
        return GeneratedProfile(
            order=payload.order_fields(task.key),
            operator=operator,
            profile_type=payload.operators_profile_type,
            iccid=profile.iccid or payload.iccid or "",
            generated_at=tx.now,
            valid_until=self._publisher.valid_until(payload.storefront, payload.paid_at, operator, tx.now),
            profile=profile,
            trace=task.continues,
        )

    async def _move(self, tx: Tx, steps: Sequence[tuple[ProvisionTask, NextOperator]]) -> None:
        """Schedule the task of the next operator, with a new identity; withdraw what may be left at this one."""
        identities = await new_identities(tx, self._operators, [step.to.operator for _, step in steps])
        moves = [Move(task, step, identity) for (task, step), identity in zip(steps, identities, strict=True)]
        for move in await store.move(tx, moves):
            task, left, to = move.task, move.step.left, move.step.to
            tried = (*(one for one in task.payload.tried if one.operator != left.operator), left)
            payload = task.payload.model_copy(
                update={
                    "operator": to.operator,
                    "profile_type": to.profile_type,
                    "iccid": move.identity.iccid,
                    "matching_id": move.identity.matching_id,
                    "tried": tried,
                    "moves": task.payload.moves + 1,
                }
            )
            # An operator that was tried before is not tried again at once.
            tried_before = any(one.operator == to.operator for one in tried)
            due_at = min(payload.deadline, tx.now + backoff(payload.moves)) if tried_before else None
            kind = self._operators.kind("provision", to.operator)
            tx.schedule(kind, task.key, payload, due_at=due_at, trace=task.continues)
            if left.state == "abandoned":
                self._withdraw(tx, task, left_for_good=to.operator != left.operator)
            log.info("next_operator", order_id=task.key, left=left.operator, to=to.operator)

    def _withdraw(self, tx: Tx, task: ProvisionTask, *, left_for_good: bool = True) -> None:
        payload, name = task.payload, self._operator(task)
        # An operator that is tried again under a new identity may have to take back both.
        key = task.key if left_for_good else f"{task.key}{ANOTHER_IDENTITY}{payload.moves}"
        withdrawal = WithdrawalPayload(
            order_number=payload.order_number,
            operator=name,
            profile_type=payload.operators_profile_type,
            plan=payload.plan,
            iccid=payload.iccid,
            matching_id=payload.matching_id,
        )
        tx.schedule(self._operators.kind("withdraw", name), key, withdrawal, trace=task.continues)


def _had_new_identity(task: ProvisionTask, operator: str) -> bool:
    """Whether the order has left an identity at this operator already: then another operator is better."""
    return any(one.operator == operator and one.state == "abandoned" for one in task.payload.tried)


def outcomes_counter(registry: CollectorRegistry) -> Counter:
    """`profile_outcomes_total{outcome}`."""
    return Counter("profile_outcomes", "Orders that ended, by outcome", ["outcome"], registry=registry)


def _label(result: ProvisionResult) -> str:
    match result.outcome:
        case Done():
            return "generated"
        case OperatorRefused(code) if code == DEADLINE:
            return "gave_up"
        case OperatorRefused(out_of_stock=True):
            return "out_of_stock"
    return "refused"
