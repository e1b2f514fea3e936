"""Tasks that check orders which may need an email because nothing happened.

One task checks all orders of a period: a task per order would be a timer for each of a million orders that need none.
After an operator's outage all orders of a period may need an email. A check therefore takes so many orders in one
transaction and schedules itself for the rest, so that other work gets its turn.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from notifications.delivery import EmailQueue, TracedEvent
from notifications.emails import ApproachingEnd, PaidOrderWithReceipt
from notifications.orders.handlers import BUCKET_SECONDS
from notifications.orders.models import WatchExpiryPayload, WatchOrdersPayload
from notifications.settings import Settings
from shared.contracts import ReceiptIssued
from shared.database import Database, Tx
from shared.ids import uuid_for
from shared.outcomes import Done, NotDue, Outcome
from shared.task_payload import NoPayload
from shared.tasks import RecordOnly, Task, TaskResult

P = TypeVar("P", WatchOrdersPayload, WatchExpiryPayload)
#: So many orders are checked in one transaction.
_MAX_ORDERS = 500
_BEFORE_ALL = UUID(int=0)
#: Orders without an answer so far. From now on a receipt has an email of its own.
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
_PLAN_END = "SELECT plan_ends_at FROM orders WHERE order_id = :order"
_ENDING_PLANS = """
SELECT order_id, order_number, storefront, buyer_id, paid->'plan' AS plan, plan_ends_at, trace FROM orders
WHERE order_id = ANY(CAST(:orders AS uuid[])) AND plan_ends_at IS NOT NULL AND paid IS NOT NULL
  AND expired_at IS NULL AND revoked_at IS NULL
"""


class WatchOrders(RecordOnly):
    """Task `watch_orders`: orders that are paid and have no code yet.

    The first mail says that the order is received (`answer`), a later one that it is delayed (`delay`).
    """

    kind = "watch_orders"
    payload = WatchOrdersPayload
    concurrency = 2

    def __init__(self, queue: EmailQueue) -> None:
        self._queue = queue

    async def record(self, tx: Tx, results: Sequence[TaskResult[None, WatchOrdersPayload]]) -> None:
        """Create the emails, period by period."""
        remaining = _MAX_ORDERS
        tasks = [result.task for result in results]
        for task in sorted(tasks, key=lambda task: (task.payload.what, task.payload.since)):
            check = self._answer if task.payload.what == "answer" else self._delay
            checked = await check(tx, task.payload, remaining)
            _schedule_rest(tx, task, checked, remaining)
            remaining -= len(checked)

    async def _answer(self, tx: Tx, payload: WatchOrdersPayload, most: int) -> list[UUID]:
        until = payload.since + timedelta(seconds=BUCKET_SECONDS)
        rows = (await tx.execute(_UNANSWERED, since=payload.since, until=until, now=tx.now, most=most)).all()
        answers: dict[UUID, TracedEvent] = {}
        receipts: dict[UUID, TracedEvent] = {}
        for row in rows:
            if row.failed_at is None:
                url = row.receipt["ticket_url"] if row.receipt else None
                paid = PaidOrderWithReceipt.model_validate({**row.paid, "receipt_url": url})
                answers[row.order_id] = TracedEvent(paid, row.trace)
            elif row.receipt:
                receipt = ReceiptIssued.model_validate(row.receipt)
                receipts[receipt.receipt_id] = TracedEvent(receipt, row.trace)
        if answers:
            await self._queue.add(tx, "order", answers)
        if receipts:
            await self._queue.add(tx, "receipt", receipts)
        return [row.order_id for row in rows]

    async def _delay(self, tx: Tx, payload: WatchOrdersPayload, most: int) -> list[UUID]:
        until = payload.since + timedelta(seconds=BUCKET_SECONDS)
        after = payload.after or _BEFORE_ALL
        rows = (await tx.execute(_LATE, since=payload.since, until=until, after=after, most=most)).all()
        if rows:
            events = {
                row.order_id: TracedEvent(PaidOrderWithReceipt.model_validate(row.paid), row.trace) for row in rows
            }
            await self._queue.add(tx, "delay", events)
        return [row.order_id for row in rows]


class WatchExpiry(RecordOnly):
    """Task `watch_expiry`: eSIMs that are not installed and expire on one day (RC 7).

    Release 1.0.1 scheduled it. Since then provisioning publishes ProfileExpiring; either makes the same email.
    """

    kind = "watch_expiry"
    payload = WatchExpiryPayload
    concurrency = 1

    def __init__(self, queue: EmailQueue) -> None:
        self._queue = queue

    async def record(self, tx: Tx, results: Sequence[TaskResult[None, WatchExpiryPayload]]) -> None:
        """Create the emails, day by day."""
        remaining = _MAX_ORDERS
        for task in sorted((result.task for result in results), key=lambda task: task.payload.since):
            since, after = task.payload.since, task.payload.after or _BEFORE_ALL
            until = since + timedelta(days=1)
            rows = (await tx.execute(_EXPIRING, since=since, until=until, after=after, most=remaining)).all()
            if rows:
                events = {row.order_id: _approaching_end(row, row.valid_until) for row in rows}
                await self._queue.add(tx, "expiring", events)
            _schedule_rest(tx, task, [row.order_id for row in rows], remaining)
            remaining -= len(rows)


class WatchPlan:
    """Task `watch_plan`: a plan that ends. The key is the order's id. A top-up moves the end, and this timer.

    Release 1.0.1 scheduled it. Since then provisioning publishes ProfileExpiring; either makes the same email.
    """

    kind = "watch_plan"
    payload = NoPayload
    concurrency = 4

    def __init__(self, queue: EmailQueue, database: Database, settings: Settings) -> None:
        self._queue = queue
        self._database = database
        self._before_end = timedelta(seconds=settings.plan_mail_before_seconds)

    async def perform(self, task: Task[NoPayload]) -> Outcome[None]:
        """Read when the plan ends, and wait until shortly before that."""
        async with self._database.reading() as tx:
            row = (await tx.execute(_PLAN_END, order=UUID(task.key))).one_or_none()
        if row is not None and row.plan_ends_at is not None and row.plan_ends_at - self._before_end > tx.now:
            return NotDue(row.plan_ends_at - self._before_end - tx.now)
        return Done(None)

    async def record(self, tx: Tx, results: Sequence[TaskResult[None, NoPayload]]) -> None:
        """Create one email for each end."""
        rows = (await tx.execute(_ENDING_PLANS, orders=[UUID(result.task.key) for result in results])).all()
        if rows:
            events = {
                uuid_for("ending", str(row.order_id), row.plan_ends_at.isoformat()): _approaching_end(
                    row, row.plan_ends_at
                )
                for row in rows
            }
            await self._queue.add(tx, "ending", events)


def _schedule_rest(tx: Tx, task: Task[P], checked: list[UUID], most: int) -> None:
    """Schedule the rest of a check that found as many orders as it was allowed to take."""
    if len(checked) == most:
        after = max(checked, default=task.payload.after or _BEFORE_ALL)
        tx.schedule(task.kind, task.key, task.payload.model_copy(update={"after": after}), trace=task.trace)


def _approaching_end(row: Any, ends_at: datetime) -> TracedEvent:
    order = {name: getattr(row, name) for name in ("order_id", "order_number", "storefront", "buyer_id")}
    return TracedEvent(ApproachingEnd.model_validate({**order, "plan": row.plan, "ends_at": ends_at}), row.trace)
