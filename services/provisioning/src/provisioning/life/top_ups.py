"""Top-ups: a paid order extends the data and validity of an eSIM exactly once, or fails, and the money goes back."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from provisioning.domain import operator as op
from provisioning.domain import top_ups as rules
from provisioning.domain.life import Report
from provisioning.domain.operator import Statuses, ToppedUp, TopUpOrder
from provisioning.domain.outcome import pause
from provisioning.life import store
from provisioning.life.looking import maker
from provisioning.life.observing import Observing, Told
from provisioning.life.store import Life
from provisioning.life.tables import top_ups
from provisioning.operators import Operators
from provisioning.settings import Settings
from shared.contracts import OperatorStatus, OrderPaid, Plan, ProfileFailed, TopUpApplied
from shared.database import Database, Tx
from shared.ids import uuid_for
from shared.messaging.consumer import Received
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


class TopUpIntake:
    """Applies OrderPaid of kind `top_up`."""

    def __init__(self, settings: Settings, operators: Operators) -> None:
        self._settings = settings
        self._operators = operators

    async def order_paid(self, tx: Tx, batch: Sequence[Received[OrderPaid]]) -> None:
        """Each becomes due at the eSIM's operator, or fails at once where nothing can be topped up."""
        orders = {received.event.order_id: received for received in batch}
        lives = await store.lives_by_iccid(tx, (one.event.iccid for one in batch if one.event.iccid), lock=True)
        rows = {}
        for key in sorted(orders, key=lambda one: one.int):
            order = orders[key].event
            life = lives.get(order.iccid or "")
            rows[key] = self._row(tx, order, life, self._refusal(order, life))
        made = await tx.insert(
            top_ups, list(rows.values()), on_conflict="ON CONFLICT (order_id) DO NOTHING", returning="order_id"
        )
        for found in made:
            row, received = rows[found.order_id], orders[found.order_id]
            if row["state"] == "failed":
                tx.publish(_failed(row, tx.now), trace=received.trace)
                continue
            payload = {"do": "top_up", "order_id": str(found.order_id)}
            kind = self._operators.kind("life", row["operator"])
            tx.schedule(kind, f"top_up:{found.order_id}", payload, trace=received.trace)

    def _refusal(self, order: OrderPaid, life: Life | None) -> str | None:
        if life is None:
            return rules.UNKNOWN
        if life.storefront != order.storefront:
            return rules.FOREIGN
        if why := life.ended():
            return rules.ended(why)
        if not rules.fits(life.plan, order.plan):
            return rules.OTHER_PLAN
        offered = life.operator in self._operators and self._operators[life.operator].traits.tops_up
        return None if offered else rules.NOT_OFFERED

    def _row(self, tx: Tx, order: OrderPaid, life: Life | None, refusal: str | None) -> dict[str, Any]:
        return {
            "order_id": order.order_id,
            "order_number": order.order_number,
            "storefront": order.storefront,
            "buyer_id": order.buyer_id,
            "plan": order.plan.model_dump(mode="json"),
            "iccid": order.iccid,
            "esim_order_id": life.order_id if life and refusal != rules.FOREIGN else None,
            "operator": life.operator if life else self._operators.names[0],
            "state": "failed" if refusal else "due",
            "reason": refusal,
            "statuses": [],
            "paid_at": order.paid_at,
            "deadline": order.paid_at + timedelta(seconds=self._settings.deadline_seconds(order.storefront)),
            "created_at": tx.now,
            "settled_at": tx.now if refusal else None,
        }


@dataclass(frozen=True, slots=True)
class NotToppedUp:
    """The operator extended nothing, and will not."""

    reason: str
    statuses: Statuses = ()


class TopUp:
    """Extends one eSIM at its operator, once: the order's number is the key, whatever is repeated."""

    def __init__(self, operators: Operators, database: Database, observing: Observing) -> None:
        self._operators = operators
        self._database = database
        self._observing = observing

    async def perform(self, task: Task) -> ToppedUp | NotToppedUp:
        """Ask the operator until it says yes or no, or the order's deadline is over."""
        row, life = await self._read(task)
        now = self._database.clock.now()
        if not task.uncertain:
            if why := life.ended():
                return NotToppedUp(rules.ended(why))
            if task.attempts and now >= row.deadline:
                return NotToppedUp("The operator did not extend the eSIM in time.")
        answer = await maker(self._operators, life).top_up(self._wanted(row, life, task), trace=task.continues)
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

    async def _read(self, task: Task) -> tuple[Any, Life]:
        order_id = UUID(task.payload["order_id"])
        async with self._database.reading() as tx:
            row = (await tx.execute(_ROWS, ids=[order_id])).one()
            return row, (await store.lives_of(tx, [row.esim_order_id]))[row.esim_order_id]

    def _wanted(self, row: Any, life: Life, task: Task) -> TopUpOrder:
        plan = Plan.model_validate(row.plan)
        offers = self._operators.offers(row.storefront, plan.profile_type)
        own = next((offer.profile_type for offer in offers if offer.operator == life.operator), life.profile_type)
        return TopUpOrder(row.order_number, life.iccid, own, plan.data_mb, plan.validity_days, uncertain=task.uncertain)

    async def record(self, tx: Tx, done: Sequence[TaskResult[ToppedUp | NotToppedUp]]) -> None:
        """Settle each once, extend what was extended, and tell."""
        results = {UUID(one.task.payload["order_id"]): one for one in done}
        ids = sorted(results, key=lambda one: one.int)
        rows = {row.order_id: row for row in await tx.execute(_ROWS, ids=ids)}
        await store.lives_of(tx, (row.esim_order_id for row in rows.values()), lock=True)
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
                tx.publish(_failed(failed, tx.now, result.statuses), trace=results[key].task.continues)
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
        await self._observing.record_observation(tx, [_told(tx, *one) for one in applied])
        lives = await store.lives_of(tx, (row.esim_order_id for row, _, _ in applied))
        events = [_event(tx, row, lives[row.esim_order_id], plans[row.order_id], one) for row, one, _ in applied]
        await tx.execute(
            _TOTALS,
            ids=[event.order_id for event in events],
            totals=[event.total_bytes for event in events],
            ends=[event.plan_ends_at for event in events],
        )
        for event, (_, _, trace) in zip(events, applied, strict=True):
            tx.publish(event, trace=trace)


def _told(tx: Tx, row: Any, result: ToppedUp, trace: str | None) -> Told:
    report = Report(_SOURCE, tx.now, total_bytes=result.total_bytes, ends_at=result.ends_at)
    key = uuid_for("top-up", str(row.order_id))
    return Told(row.operator, row.iccid, report, key, {"order_number": row.order_number}, trace)


def _event(tx: Tx, row: Any, life: Life, plan: Plan, result: ToppedUp) -> TopUpApplied:
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


def _failed(row: dict[str, Any], now: datetime, statuses: Statuses = ()) -> ProfileFailed:
    return ProfileFailed(
        order_id=row["order_id"],
        order_number=row["order_number"],
        storefront=row["storefront"],
        buyer_id=row["buyer_id"],
        plan=Plan.model_validate(row["plan"]),
        operator=row["operator"],
        statuses=tuple(statuses),
        reason=row["reason"],
        paid_at=row["paid_at"],
        failed_at=now,
        kind="top_up",
        iccid=row["iccid"],
    )


def _json(statuses: Sequence[OperatorStatus]) -> str:
    return json.dumps([status.model_dump() for status in statuses])
