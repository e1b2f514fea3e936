"""`provision`: has one profile made, at the first operator that can, until the deadline of its order.

**Never two usable profiles for one order** (invariant I4). The next operator is asked only when the one in hand
- surely made nothing (it was not reached, refused, is out of stock): at once, and nothing is left to do there; or
- perhaps made something (a lost reply, then silence). Its code was told to nobody and never will be: the very
  transaction that turns to the next operator closes this attempt, so that no answer of it can be delivered any more,
  and makes its withdrawal due, which is kept trying until that operator is certain. Waiting for the withdrawal first
  would keep the buyer waiting for an operator that is silent; nobody can use a profile whose 130-bit code nobody knows.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from prometheus_client import CollectorRegistry, Counter

from provisioning.clients import models as op
from provisioning.clients.models import Made, NotNow, Refused, Unknown
from provisioning.generation import rows
from provisioning.generation.publishing import GeneratedProfile, ProfilePublisher
from provisioning.generation.rules.failover import (
    GaveUp,
    MoveOn,
    Outcome,
    Tried,
    gave_up,
    in_the_end,
    next_offer,
    pause,
)
from provisioning.operators.identities import new_identities
from provisioning.operators.registry import Operators
from provisioning.settings import Settings
from provisioning.tables import profile_orders
from shared import tasks
from shared.contracts import OperatorStatus, ProfileFailed
from shared.database import Database, Tx
from shared.tasks import Later, Task, TaskResult
from shared.tasks.worker import backoff
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
_SETTLE = """
UPDATE profiles p
SET state = r.state, statuses = COALESCE(r.statuses, p.statuses), reason = r.reason, smdp_address = r.smdp_address,
    matching_id = COALESCE(r.matching_id, p.matching_id), iccid = COALESCE(r.iccid, p.iccid),
    attempts = p.attempts + r.attempts, settled_at = :now
FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:statuses AS jsonb[]), CAST(:reasons AS text[]),
            CAST(:addresses AS text[]), CAST(:matching AS text[]), CAST(:iccids AS text[]), CAST(:attempts AS int[]))
     AS r(order_id, state, statuses, reason, smdp_address, matching_id, iccid, attempts)
WHERE p.order_id = r.order_id AND p.state = 'ordered'
RETURNING p.order_id
"""
#: The row always tells the attempt in hand; what was left stands in profile_orders.
_MOVE = """
UPDATE profiles p
SET operator = r.operator, profile_type = r.profile_type, iccid = r.iccid, matching_id = r.matching_id,
    statuses = '[]', attempts = p.attempts + r.attempts
FROM unnest(CAST(:ids AS uuid[]), CAST(:operators AS text[]), CAST(:types AS text[]), CAST(:iccids AS text[]),
            CAST(:matching AS text[]), CAST(:attempts AS int[]))
     AS r(order_id, operator, profile_type, iccid, matching_id, attempts)
WHERE p.order_id = r.order_id AND p.state = 'ordered'
RETURNING p.order_id
"""
_AGAIN = """
ON CONFLICT (order_id, operator) DO UPDATE
SET profile_type = EXCLUDED.profile_type, iccid = EXCLUDED.iccid, matching_id = EXCLUDED.matching_id,
    state = EXCLUDED.state, attempts = profile_orders.attempts + EXCLUDED.attempts, statuses = EXCLUDED.statuses,
    reason = EXCLUDED.reason, left_at = EXCLUDED.left_at
"""
_REMEMBER = "UPDATE profiles SET statuses = CAST(:statuses AS jsonb) WHERE order_id = :order_id AND state = 'ordered'"
_REMEMBERED = """
SELECT p.statuses, w.last_error FROM profiles p LEFT JOIN work w ON w.id = :id WHERE p.order_id = :order_id
"""


class Provision:
    """Orders at one operator, in a lane of its own: an operator that hangs holds up its own orders only."""

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
        self._patience = settings.failover_attempts
        self._operators = operators
        self._name = name
        self._publisher = publisher
        self._database = database
        self._outcomes = outcomes

    async def perform(self, task: Task) -> Outcome:
        """Order from the operator. An order is tried at least once, even when it was read after its deadline."""
        deadline = datetime.fromisoformat(task.payload["deadline"])
        begun = task.attempts or task.uncertain or task.payload.get("tried")
        if begun and self._database.clock.now() >= deadline:
            last, statuses = await self._remembered(task)
            return gave_up(last, statuses, left_behind=task.uncertain)
        name = rows.operator_of(task, self._name)
        if name not in self._operators:
            answer: Made | Refused | NotNow | Unknown = NotNow("is not configured any more", asked=False)
        else:
            answer = await self._operators[name].order(rows.wanted(task), trace=task.continues)
        match answer:
            case Made():
                return answer
            case Refused():
                refused = replace(answer, left_behind=answer.left_behind or task.uncertain)
                return self._elsewhere(task, name, refused) or refused
        return await self._set_back(task, name, answer, deadline)

    async def _set_back(self, task: Task, name: str, answer: NotNow | Unknown, deadline: datetime) -> Outcome:
        """Nothing came of it: the next operator where patience is over, else again later. Raises for "later"."""
        if answer.statuses:
            await self._remember(task, answer.statuses)
        unsure = task.uncertain or isinstance(answer, Unknown)
        asked = isinstance(answer, Unknown) or answer.asked
        ill = name not in self._operators or self._operators[name].open()
        if ill or (asked and task.attempts + 1 >= self._patience):
            moved = self._elsewhere(task, name, answer, unsure=unsure)
            if moved is not None:
                return moved
        wait = None if asked else timedelta(seconds=getattr(answer, "retry_after", None) or 1.0)
        delay = pause(wait or backoff(task.attempts), self._database.clock.now(), deadline)
        if delay is None:
            last, statuses = await self._remembered(task)
            return gave_up(answer.reason if asked else last, answer.statuses or statuses, left_behind=unsure)
        if not asked:
            raise Later(delay, rows.brief(answer))
        raise (tasks.Unknown if unsure else tasks.NotNow)(rows.brief(answer), delay=delay)

    def _elsewhere(
        self, task: Task, name: str, answer: Refused | NotNow | Unknown, *, unsure: bool = False
    ) -> MoveOn | None:
        """The next operator, if there is one that may be asked."""
        storefront, plan = task.payload["storefront"], task.payload["plan"]
        offers = self._operators.offers(storefront, plan["profile_type"])
        offer = next_offer(offers, name, rows.tried(task), lambda other: self._operators[other].open())
        if offer is None:
            return None
        if isinstance(answer, Refused):
            return MoveOn(offer, Tried(name, "abandoned" if answer.left_behind else "refused", *_said(answer)))
        asked = isinstance(answer, Unknown) or answer.asked
        return MoveOn(offer, Tried(name, "abandoned" if unsure else "waiting", *_said(answer)), asked)

    async def record(self, tx: Tx, done: Sequence[TaskResult[Outcome]]) -> None:
        """Settle the rows and tell the result; a row that is settled already stays as it is."""
        ordered = sorted(done, key=lambda one: one.task.key)
        await self._settle(tx, [one for one in ordered if not isinstance(one.result, MoveOn)])
        await self._move(tx, [(one.task, one.result) for one in ordered if isinstance(one.result, MoveOn)])

    async def _settle(self, tx: Tx, done: Sequence[TaskResult[Outcome]]) -> None:
        if not done:
            return
        made = [one.result if isinstance(one.result, Made) else None for one in done]
        failed = [_failure(one, self._name) for one in done]
        settled = await tx.execute(
            _SETTLE,
            now=tx.now,
            ids=[UUID(one.task.key) for one in done],
            states=["generated" if one else "failed" for one in made],
            statuses=[None if one is None or not one[1] else rows.as_json(one[1]) for one in failed],
            reasons=[None if one is None else one[0] for one in failed],
            addresses=[one.smdp_address if one else None for one in made],
            matching=[one.matching_id if one else None for one in made],
            iccids=[one.iccid if one else None for one in made],
            attempts=[one.task.attempts + 1 for one in done],
        )
        fresh = set(settled.scalars())
        told = [one for one in done if UUID(one.task.key) in fresh]
        for one in told:
            self._outcomes.labels(_name(one.result)).inc()
            if not isinstance(one.result, Made):
                self._tell_failure(tx, one)
        await self._publisher.tell(
            tx, [self._born(tx, one.task, one.result) for one in told if isinstance(one.result, Made)]
        )

    def _born(self, tx: Tx, task: Task, made: Made) -> GeneratedProfile:
        fields, operator = rows.order_fields(task), rows.operator_of(task, self._name)
        return GeneratedProfile(
            **fields,
            operator=operator,
            profile_type=rows.profile_type_of(task.payload),
            iccid=made.iccid or task.payload["iccid"],
            generated_at=tx.now,
            valid_until=self._publisher.valid_until(fields["storefront"], fields["paid_at"], operator, tx.now),
            made=made,
            trace=task.continues,
        )

    def _tell_failure(self, tx: Tx, one: TaskResult[Outcome]) -> None:
        task, result = one.task, one.result
        name = rows.operator_of(task, self._name)
        reason, statuses = _failure(one, self._name) or ("", ())
        failed = ProfileFailed(
            **rows.order_fields(task), operator=name, statuses=statuses, reason=reason, failed_at=tx.now
        )
        tx.publish(failed, trace=task.continues)
        if isinstance(result, Refused | GaveUp) and result.left_behind:
            self._withdraw(tx, task)

    def _withdraw(self, tx: Tx, task: Task) -> None:
        name = rows.operator_of(task, self._name)
        payload = {
            **{field: task.payload[field] for field in ("order_number", "plan", "iccid", "matching_id")},
            "operator": name,
            "profile_type": rows.profile_type_of(task.payload),
        }
        tx.schedule(self._operators.kind("withdraw", name), task.key, payload, trace=task.continues)

    async def _move(self, tx: Tx, moves: Sequence[tuple[Task, MoveOn]]) -> None:
        """Turn to the next operator: a new identity there, and nothing that the last one says counts any more."""
        if not moves:
            return
        identities = await new_identities(tx, self._operators, [move.to.operator for _, move in moves])
        moved = await tx.execute(
            _MOVE,
            ids=[UUID(task.key) for task, _ in moves],
            operators=[move.to.operator for _, move in moves],
            types=[move.to.profile_type for _, move in moves],
            iccids=[iccid for iccid, _ in identities],
            matching=[matching_id for _, matching_id in identities],
            attempts=[task.attempts + move.asked for task, move in moves],
        )
        fresh = set(moved.scalars())
        chosen = [
            (task, move, identity)
            for (task, move), identity in zip(moves, identities, strict=True)
            if UUID(task.key) in fresh
        ]
        history = [self._history(tx, task, move) for task, move, _ in chosen]
        await tx.insert(profile_orders, history, on_conflict=_AGAIN)
        for task, move, (iccid, matching_id) in chosen:
            tried = [one for one in rows.tried(task) if one.operator != move.left.operator] + [move.left]
            known = any(one.operator == move.to.operator for one in tried)
            payload = {
                **{field: task.payload[field] for field in rows.ORDER_FIELDS},
                "operator": move.to.operator,
                "profile_type": move.to.profile_type,
                "iccid": iccid,
                "matching_id": matching_id,
                "tried": [one.plain() for one in tried],
                "moves": task.payload.get("moves", 0) + 1,
            }
            deadline = datetime.fromisoformat(task.payload["deadline"])
            due = min(deadline, tx.now + backoff(payload["moves"])) if known else None
            kind = self._operators.kind("provision", move.to.operator)
            tx.schedule(kind, task.key, payload, due_at=due, trace=task.continues)
            if move.left.state == "abandoned":
                self._withdraw(tx, task)
            log.info("next_operator", order_id=task.key, left=move.left.operator, to=move.to.operator)

    def _history(self, tx: Tx, task: Task, move: MoveOn) -> dict[str, Any]:
        return {
            "order_id": UUID(task.key),
            "operator": move.left.operator,
            "profile_type": rows.profile_type_of(task.payload),
            "iccid": task.payload["iccid"],
            "matching_id": task.payload["matching_id"],
            "state": move.left.state,
            "attempts": task.attempts + move.asked,
            "statuses": [status.model_dump() for status in move.left.statuses],
            "reason": move.left.reason,
            "left_at": tx.now,
        }

    async def _remember(self, task: Task, statuses: op.Statuses) -> None:
        """Keep the operator's codes: the next attempt may meet silence, and the failure must say why."""
        async with self._database.transaction("work") as tx:
            await tx.execute(_REMEMBER, order_id=UUID(task.key), statuses=rows.as_json(statuses))

    async def _remembered(self, task: Task) -> tuple[str, op.Statuses]:
        """How the last attempt ended, and the last codes that the operator gave."""
        async with self._database.reading() as tx:
            row = (await tx.execute(_REMEMBERED, order_id=UUID(task.key), id=task.id)).one_or_none()
        if row is None:
            return "no answer", ()
        return row.last_error or "no answer", tuple(OperatorStatus.model_validate(status) for status in row.statuses)


def outcomes_counter(registry: CollectorRegistry) -> Counter:
    """`profile_outcomes_total{outcome}`."""
    return Counter("profile_outcomes", "Orders settled, by outcome", ["outcome"], registry=registry)


def _said(answer: Refused | NotNow | Unknown) -> tuple[str, op.Statuses]:
    return answer.reason, answer.statuses


def _failure(one: TaskResult[Outcome], default: str) -> tuple[str, op.Statuses] | None:
    """The sentence and all codes of an order that has failed."""
    if not isinstance(one.result, Refused | GaveUp):
        return None
    return in_the_end(rows.operator_of(one.task, default), one.result, rows.tried(one.task))


def _name(result: Outcome) -> str:
    match result:
        case Made():
            return "generated"
        case GaveUp():
            return "gave_up"
        case Refused(stock_out=True):
            return "out_of_stock"
    return "refused"
