"""Looks at orders that may need a mail because nothing happened: one due row looks at all orders of its time.

A row per order would be a timer for each of a million orders that need none. After an operator's outage, all orders of
a time may need a mail: a look takes so many and schedules itself for the rest, so that other work gets its turn.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from notifications.delivery import EmailQueue, TracedEvent
from notifications.emails import ApproachingEnd, PaidOrderWithReceipt
from notifications.orders.handlers import BUCKET_SECONDS
from notifications.settings import Settings
from shared.contracts import ReceiptIssued
from shared.database import Database, Tx
from shared.ids import uuid_for
from shared.tasks import Later, Task, TaskResult

#: So many orders are looked at in one transaction.
_MOST = 500
_FIRST = UUID(int=0)
#: Orders without an answer so far. From now on a receipt has a mail of its own.
_UNANSWERED = """
UPDATE orders SET answered_at = :now
WHERE order_id IN (
  SELECT order_id FROM orders
  WHERE paid_at >= :since AND paid_at < :until AND answered_at IS NULL AND paid IS NOT NULL
  ORDER BY order_id LIMIT :most FOR UPDATE)
RETURNING order_id, paid, receipt, failed_at, trace
"""
_LATE = """
SELECT order_id, paid, trace FROM orders
WHERE paid_at >= :since AND paid_at < :until
  AND generated_at IS NULL AND failed_at IS NULL AND topped_up_at IS NULL AND refunded_at IS NULL
  AND paid IS NOT NULL AND order_id > :after
ORDER BY order_id LIMIT :most
"""
_EXPIRING = """
SELECT order_id, order_number, storefront, buyer_id, paid->'plan' AS plan, valid_until, trace FROM orders
WHERE valid_until >= :since AND valid_until < :until AND paid IS NOT NULL
  AND installed_at IS NULL AND activated_at IS NULL AND expired_at IS NULL AND revoked_at IS NULL
  AND refunded_at IS NULL AND order_id > :after
ORDER BY order_id LIMIT :most
"""
_PLAN = """
SELECT order_id, order_number, storefront, buyer_id, paid->'plan' AS plan, plan_ends_at, trace FROM orders
WHERE order_id = :order
"""
_PLANS = """
SELECT order_id, order_number, storefront, buyer_id, paid->'plan' AS plan, plan_ends_at, trace FROM orders
WHERE order_id = ANY(CAST(:orders AS uuid[])) AND plan_ends_at IS NOT NULL AND paid IS NOT NULL
  AND expired_at IS NULL AND revoked_at IS NULL
"""


class WatchOrders:
    """Orders that were paid, and no code yet: first `we have your order`, later `we are on it`."""

    kind = "watch_orders"
    concurrency = 2

    def __init__(self, mailing: EmailQueue) -> None:
        self._mailing = mailing

    async def perform(self, task: Task) -> None:
        """Nothing outside: all of it is in `record`."""

    async def record(self, tx: Tx, done: Sequence[TaskResult[None]]) -> None:
        """Make the mails, bucket by bucket."""
        left = _MOST
        for task in sorted((one.task for one in done), key=lambda task: (task.payload["what"], task.payload["since"])):
            since = datetime.fromisoformat(task.payload["since"])
            until = since + timedelta(seconds=BUCKET_SECONDS)
            if task.payload["what"] == "answer":
                found = await self._answer(tx, since, until, left)
            else:
                found = await self._delay(tx, since, until, _place(task), left)
            left = _go_on(tx, task, found, left)

    async def _answer(self, tx: Tx, since: datetime, until: datetime, most: int) -> list[UUID]:
        rows = (await tx.execute(_UNANSWERED, since=since, until=until, now=tx.now, most=most)).all()
        answers: dict[UUID, TracedEvent] = {}
        receipts: dict[UUID, TracedEvent] = {}
        for row in rows:
            if row.failed_at is None:
                url = row.receipt["ticket_url"] if row.receipt else None
                answers[row.order_id] = TracedEvent(
                    PaidOrderWithReceipt.model_validate({**row.paid, "receipt_url": url}), row.trace
                )
            elif row.receipt:
                receipt = ReceiptIssued.model_validate(row.receipt)
                receipts[receipt.receipt_id] = TracedEvent(receipt, row.trace)
        if answers:
            await self._mailing.due(tx, "order", answers)
        if receipts:
            await self._mailing.due(tx, "receipt", receipts)
        return [row.order_id for row in rows]

    async def _delay(self, tx: Tx, since: datetime, until: datetime, after: UUID, most: int) -> list[UUID]:
        rows = (await tx.execute(_LATE, since=since, until=until, after=after, most=most)).all()
        if rows:
            facts = {
                row.order_id: TracedEvent(PaidOrderWithReceipt.model_validate(row.paid), row.trace) for row in rows
            }
            await self._mailing.due(tx, "delay", facts)
        return [row.order_id for row in rows]


class WatchExpiry:
    """eSIMs that nobody has installed and that expire on one day (RC 7)."""

    kind = "watch_expiry"
    concurrency = 1

    def __init__(self, mailing: EmailQueue) -> None:
        self._mailing = mailing

    async def perform(self, task: Task) -> None:
        """Nothing outside: all of it is in `record`."""

    async def record(self, tx: Tx, done: Sequence[TaskResult[None]]) -> None:
        """Make the mails, day by day."""
        left = _MOST
        for task in sorted((one.task for one in done), key=lambda task: str(task.payload["since"])):
            since = datetime.fromisoformat(task.payload["since"])
            until = since + timedelta(days=1)
            rows = (await tx.execute(_EXPIRING, since=since, until=until, after=_place(task), most=left)).all()
            if rows:
                facts = {row.order_id: _nearing(row, row.valid_until) for row in rows}
                await self._mailing.due(tx, "expiring", facts)
            left = _go_on(tx, task, [row.order_id for row in rows], left)


class WatchPlan:
    """A plan that ends; a top-up in the meantime moves the end, and this timer with it."""

    kind = "watch_plan"
    concurrency = 4

    def __init__(self, mailing: EmailQueue, database: Database, settings: Settings) -> None:
        self._mailing = mailing
        self._database = database
        self._ahead = timedelta(seconds=settings.plan_mail_before_seconds)

    async def perform(self, task: Task) -> None:
        """Look whether it is time. Raises Later."""
        async with self._database.reading() as tx:
            row = (await tx.execute(_PLAN, order=UUID(task.key))).one_or_none()
        if row is not None and row.plan_ends_at is not None and row.plan_ends_at - self._ahead > tx.now:
            raise Later(row.plan_ends_at - self._ahead - tx.now)

    async def record(self, tx: Tx, done: Sequence[TaskResult[None]]) -> None:
        """One mail for each end."""
        rows = (await tx.execute(_PLANS, orders=[UUID(one.task.key) for one in done])).all()
        if rows:
            facts = {
                uuid_for("ending", str(row.order_id), row.plan_ends_at.isoformat()): _nearing(row, row.plan_ends_at)
                for row in rows
            }
            await self._mailing.due(tx, "ending", facts)


def _place(task: Task) -> UUID:
    """The last order that an earlier part of this look has seen."""
    return UUID(task.payload["after"]) if "after" in task.payload else _FIRST


def _go_on(tx: Tx, task: Task, seen: list[UUID], most: int) -> int:
    """Schedule the rest of a look that found as many orders as it might; returns how many others may still take."""
    if len(seen) == most:
        after = max(seen, default=_place(task))
        tx.schedule(task.kind, task.key, {**task.payload, "after": str(after)}, trace=task.trace)
    return most - len(seen)


def _nearing(row: Any, ends_at: datetime) -> TracedEvent:
    order = {name: getattr(row, name) for name in ("order_id", "order_number", "storefront", "buyer_id")}
    return TracedEvent(ApproachingEnd.model_validate({**order, "plan": row.plan, "ends_at": ends_at}), row.trace)
