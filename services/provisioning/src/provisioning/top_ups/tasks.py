"""Top-ups: a paid order extends the data and validity of an eSIM exactly once, or fails, and the money goes back."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from provisioning.clients import models as op
from provisioning.clients.models import Statuses, ToppedUp, TopUpOrder
from provisioning.clients.reports import Report
from provisioning.generation.rules.failover import pause
from provisioning.lifecycle import store
from provisioning.lifecycle.observation import Observations, SourcedReport
from provisioning.lifecycle.operator_queries import operator_of_profile
from provisioning.lifecycle.store import IssuedProfile
from provisioning.operators.registry import Operators
from provisioning.top_ups import rules
from provisioning.top_ups.handlers import failed_event
from shared.contracts import OperatorStatus, Plan, TopUpApplied
from shared.database import Database, Tx
from shared.ids import uuid_for
from shared.tasks import NeedsPersonError, NotNow, Task, TaskResult, Unknown
from shared.tasks.worker import backoff

_MEBIBYTE = 1024 * 1024
_SOURCE = "operator-top-up"
_ROWS = "SELECT * FROM top_ups WHERE order_id = ANY(CAST(:ids AS uuid[]))"
_SETTLE = """
UPDATE top_ups t SET state = r.state, reason = r.reason, statuses = r.statuses, settled_at = :now
FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:reasons AS text[]), CAST(:statuses AS jsonb[]))
     AS r(order_id, state, reason, statuses)
WHERE t.order_id = r.order_id AND t.state = 'due' RETURNING t.order_id
"""
#: In the transaction that settles the top-up, so that each counts once.
_EXTEND = """
UPDATE lives l SET extra_days = l.extra_days + r.days, extra_bytes = l.extra_bytes + r.bytes
FROM (SELECT order_id, sum(days) AS days, sum(bytes) AS bytes
      FROM unnest(CAST(:ids AS uuid[]), CAST(:days AS int[]), CAST(:bytes AS bigint[])) AS one(order_id, days, bytes)
      GROUP BY order_id) AS r
WHERE l.order_id = r.order_id
"""
_TOTALS = """
UPDATE top_ups t SET total_bytes = r.total, plan_ends_at = r.ends
FROM unnest(CAST(:ids AS uuid[]), CAST(:totals AS bigint[]), CAST(:ends AS timestamptz[])) AS r(order_id, total, ends)
WHERE t.order_id = r.order_id
"""


@dataclass(frozen=True, slots=True)
class NotToppedUp:
    """The operator extended nothing, and will not."""

    reason: str
    statuses: Statuses = ()


class TopUp:
    """Extends one eSIM at its operator, once: the order's number is the key, whatever is repeated."""

    def __init__(self, operators: Operators, database: Database, observations: Observations) -> None:
        self._operators = operators
        self._database = database
        self._observations = observations

    async def perform(self, task: Task) -> ToppedUp | NotToppedUp:
        """Ask the operator until it says yes or no, or the order's deadline is over."""
        row, life = await self._read(task)
        now = self._database.clock.now()
        if not task.uncertain:
            if why := life.ended():
                return NotToppedUp(rules.ended(why))
            if task.attempts and now >= row.deadline:
                return NotToppedUp("The operator did not extend the eSIM in time.")
        answer = await operator_of_profile(self._operators, life).top_up(
            self._wanted(row, life, task), trace=task.continues
        )
        match answer:
            case ToppedUp():
                return answer
            case op.Refused(reason, statuses):
                return NotToppedUp(reason, statuses)
        unsure = task.uncertain or isinstance(answer, op.Unknown)
        delay = pause(backoff(task.attempts), now, row.deadline)
        if delay is None and unsure:
            # It may have been applied, which nobody can take back (RC 4): no money moves before somebody knows.
            raise NeedsPersonError(f"the deadline is over; whether the top-up was applied is unknown: {answer.reason}")
        if delay is None:
            return NotToppedUp(f"The operator did not extend the eSIM in time; {answer.reason}.", answer.statuses)
        raise (Unknown if unsure else NotNow)(answer.reason, delay=delay)

    async def _read(self, task: Task) -> tuple[Any, IssuedProfile]:
        order_id = UUID(task.payload["order_id"])
        async with self._database.reading() as tx:
            row = (await tx.execute(_ROWS, ids=[order_id])).one()
            return row, (await store.issued_profiles(tx, [row.esim_order_id]))[row.esim_order_id]

    def _wanted(self, row: Any, life: IssuedProfile, task: Task) -> TopUpOrder:
        plan = Plan.model_validate(row.plan)
        offers = self._operators.offers(row.storefront, plan.profile_type)
        own = next((offer.profile_type for offer in offers if offer.operator == life.operator), life.profile_type)
        return TopUpOrder(row.order_number, life.iccid, own, plan.data_mb, plan.validity_days, uncertain=task.uncertain)

    async def record(self, tx: Tx, done: Sequence[TaskResult[ToppedUp | NotToppedUp]]) -> None:
        """Settle each once, extend what was extended, and tell."""
        results = {UUID(one.task.payload["order_id"]): one for one in done}
        ids = sorted(results, key=lambda one: one.int)
        rows = {row.order_id: row for row in await tx.execute(_ROWS, ids=ids)}
        await store.issued_profiles(tx, (row.esim_order_id for row in rows.values()), lock=True)
        outcomes = [results[one].result for one in ids]
        settled = await tx.execute(
            _SETTLE,
            now=tx.now,
            ids=ids,
            states=["applied" if isinstance(one, ToppedUp) else "failed" for one in outcomes],
            reasons=[None if isinstance(one, ToppedUp) else one.reason for one in outcomes],
            statuses=["[]" if isinstance(one, ToppedUp) else _json(one.statuses) for one in outcomes],
        )
        fresh = sorted(settled.scalars(), key=lambda one: one.int)
        for key in fresh:
            result = results[key].result
            if isinstance(result, NotToppedUp):
                failed = rows[key]._asdict() | {"reason": result.reason}
                tx.publish(failed_event(failed, tx.now, result.statuses), trace=results[key].task.continues)
        extended = [(rows[key], results[key].result, results[key].task.continues) for key in fresh]
        await self._extend(tx, [(row, one, trace) for row, one, trace in extended if isinstance(one, ToppedUp)])

    async def _extend(self, tx: Tx, applied: list[tuple[Any, ToppedUp, str | None]]) -> None:
        if not applied:
            return
        plans = {row.order_id: Plan.model_validate(row.plan) for row, _, _ in applied}
        await tx.execute(
            _EXTEND,
            ids=[row.esim_order_id for row, _, _ in applied],
            days=[plans[row.order_id].validity_days for row, _, _ in applied],
            bytes=[plans[row.order_id].data_mb * _MEBIBYTE for row, _, _ in applied],
        )
        await self._observations.record_observation(tx, [_told(tx, *one) for one in applied])
        lives = await store.issued_profiles(tx, (row.esim_order_id for row, _, _ in applied))
        events = [_event(tx, row, lives[row.esim_order_id], plans[row.order_id], one) for row, one, _ in applied]
        await tx.execute(
            _TOTALS,
            ids=[event.order_id for event in events],
            totals=[event.total_bytes for event in events],
            ends=[event.plan_ends_at for event in events],
        )
        for event, (_, _, trace) in zip(events, applied, strict=True):
            tx.publish(event, trace=trace)


def _told(tx: Tx, row: Any, result: ToppedUp, trace: str | None) -> SourcedReport:
    report = Report(_SOURCE, tx.now, total_bytes=result.total_bytes, ends_at=result.ends_at)
    key = uuid_for("top-up", str(row.order_id))
    return SourcedReport(row.operator, row.iccid, report, key, {"order_number": row.order_number}, trace)


def _event(tx: Tx, row: Any, life: IssuedProfile, plan: Plan, result: ToppedUp) -> TopUpApplied:
    total = result.total_bytes
    return TopUpApplied(
        order_id=row.order_id,
        order_number=row.order_number,
        storefront=row.storefront,
        buyer_id=row.buyer_id,
        iccid=row.iccid,
        plan=plan,
        operator=row.operator,
        esim_order_id=row.esim_order_id,
        plan_ends_at=life.plan_ends_at,
        total_bytes=life.plan.data_mb * _MEBIBYTE + life.extra_bytes if total is None else total,
        paid_at=row.paid_at,
        applied_at=tx.now,
    )


def _json(statuses: Sequence[OperatorStatus]) -> str:
    return json.dumps([status.model_dump() for status in statuses])
