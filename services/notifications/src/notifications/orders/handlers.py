"""Stores events about orders and eSIMs: each event sets its own columns, and those for the buyer become emails.

A receipt is linked in the email that confirms the order, if it is stored by then. `answered_at` says that this email
was created; whichever of the two events comes second decides, under the lock of the order's row.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, TypeVar
from uuid import UUID

from notifications.delivery import EmailQueue, TracedEvent, by_subject
from notifications.emails import TopUpWithReceipt
from notifications.orders.models import Check, WatchOrdersPayload
from notifications.settings import Settings
from notifications.tables import orders
from shared.contracts import (
    OrderEvent,
    OrderHeld,
    OrderPaid,
    OrderRefused,
    OrderReleased,
    PaymentLapsed,
    ProfileExpired,
    ProfileFailed,
    ProfileGenerated,
    ProfileObserved,
    ProfileRevoked,
    ReceiptIssued,
    TopUpApplied,
    order_fields,
)
from shared.database import Tx
from shared.ids import uuid7
from shared.messaging.consumer import Received

E = TypeVar("E", bound=OrderEvent)
#: Orders paid within so many seconds are checked by one task (orders/tasks.py).
BUCKET_SECONDS = 5
_EPOCH = datetime.fromtimestamp(0, UTC)
_PAID = """
INSERT INTO orders AS o (order_id, order_number, storefront, buyer_id, trace, paid, paid_at)
SELECT f.order_id, f.paid->>'order_number', f.paid->>'storefront', CAST(f.paid->>'buyer_id' AS uuid), f.trace, f.paid,
       CAST(f.paid->>'paid_at' AS timestamptz)
FROM unnest(CAST(:orders AS uuid[]), CAST(:facts AS jsonb[]), CAST(:traces AS text[])) AS f(order_id, paid, trace)
ON CONFLICT (order_id) DO UPDATE SET
  trace = COALESCE(o.trace, EXCLUDED.trace), paid = COALESCE(o.paid, EXCLUDED.paid),
  paid_at = COALESCE(o.paid_at, EXCLUDED.paid_at)
"""
_FIRST_RECEIPT = """
ON CONFLICT (order_id) DO UPDATE SET receipt = EXCLUDED.receipt WHERE orders.receipt IS NULL
"""
_ANSWERED = """
ON CONFLICT (order_id) DO UPDATE SET {columns}, answered_at = COALESCE(orders.answered_at, EXCLUDED.answered_at)
"""
#: Install state and usage are replaced by newer ones only; of times the earliest is kept, of a plan's end the latest.
_OBSERVED = """
ON CONFLICT (order_id) DO UPDATE SET
  installed_at = LEAST(orders.installed_at, EXCLUDED.installed_at),
  activated_at = LEAST(orders.activated_at, EXCLUDED.activated_at),
  plan_ends_at = GREATEST(orders.plan_ends_at, EXCLUDED.plan_ends_at),
  used_bytes = CASE WHEN orders.usage_at IS NULL OR orders.usage_at < EXCLUDED.usage_at
                    THEN EXCLUDED.used_bytes ELSE orders.used_bytes END,
  total_bytes = CASE WHEN orders.usage_at IS NULL OR orders.usage_at < EXCLUDED.usage_at
                     THEN EXCLUDED.total_bytes ELSE orders.total_bytes END,
  usage_at = GREATEST(orders.usage_at, EXCLUDED.usage_at)
"""
_EXTEND_PLANS = """
UPDATE orders o SET plan_ends_at = GREATEST(o.plan_ends_at, t.ends_at),
                    total_bytes = COALESCE(t.total_bytes, o.total_bytes)
FROM unnest(CAST(:ids AS uuid[]), CAST(:ends AS timestamptz[]), CAST(:totals AS bigint[]))
     AS t(order_id, ends_at, total_bytes)
WHERE o.order_id = t.order_id
"""


class OrderHandlers:
    """Handlers of events about orders and their eSIMs."""

    def __init__(self, queue: EmailQueue, settings: Settings) -> None:
        self._queue = queue
        self._settings = settings

    async def order_paid(self, tx: Tx, batch: Sequence[Received[OrderPaid]]) -> None:
        """Schedule the checks that tell the buyer that the order is received, and later that it is delayed."""
        paid = _first(batch)
        await tx.execute(
            _PAID,
            orders=[received.event.order_id for received in paid],
            facts=[received.event.model_dump_json() for received in paid],
            traces=[received.trace for received in paid],
        )
        buckets = {int((received.event.paid_at - _EPOCH).total_seconds()) // BUCKET_SECONDS for received in batch}
        for bucket in sorted(buckets):
            _schedule_check(tx, "answer", bucket, self._settings.order_mail_after_seconds)
            _schedule_check(tx, "delay", bucket, self._settings.delay_mail_after_seconds)

    async def receipt_issued(self, tx: Tx, batch: Sequence[Received[ReceiptIssued]]) -> None:
        """PO 4.3: a sale's receipt has an email of its own only if the order's email was created already."""
        sales = [received for received in batch if received.event.kind == "sale"]
        rows = [
            {**order_fields(received.event), "receipt": received.event.model_dump(mode="json")}
            for received in _first(sales)
        ]
        fresh = await tx.insert(orders, rows, on_conflict=_FIRST_RECEIPT, returning="order_id, answered_at")
        late = {row.order_id for row in fresh if row.answered_at is not None}
        emails = [
            received for received in batch if received.event.kind == "sale_return" or received.event.order_id in late
        ]
        await self._email(tx, "receipt", emails, lambda event: event.receipt_id)

    async def profile_generated(self, tx: Tx, batch: Sequence[Received[ProfileGenerated]]) -> None:
        """Send the activation code (PO 3.4)."""
        await self._queue.add_codes(tx, by_subject(batch, lambda event: event.order_id))

    async def top_up_applied(self, tx: Tx, batch: Sequence[Received[TopUpApplied]]) -> None:
        """Tell the buyer about the top-up, and store the new end and data of the eSIM that it extends."""
        receipts = await self._answer(tx, batch, lambda e: {"topped_up_at": e.applied_at})
        events = {
            received.event.order_id: TracedEvent(
                TopUpWithReceipt.model_construct(
                    **dict(received.event), receipt_url=receipts.get(received.event.order_id)
                ),
                received.trace,
            )
            for received in batch
        }
        await self._queue.add(tx, "topup", events)
        longest = {
            received.event.esim_order_id: received.event
            for received in sorted(batch, key=lambda received: received.event.applied_at)
        }
        await tx.execute(
            _EXTEND_PLANS,
            ids=sorted(longest),
            ends=[longest[key].plan_ends_at for key in sorted(longest)],
            totals=[longest[key].total_bytes for key in sorted(longest)],
        )

    async def profile_failed(self, tx: Tx, batch: Sequence[Received[ProfileFailed]]) -> None:
        """Store the failure. No email is sent: refunds decides what follows, and its decision is an email."""
        await self._record(tx, batch, lambda event: {"failed_at": event.failed_at})

    async def profile_revoked(self, tx: Tx, batch: Sequence[Received[ProfileRevoked]]) -> None:
        """Store that the code was revoked."""
        await self._record(tx, batch, lambda event: {"revoked_at": event.revoked_at})

    async def profile_expired(self, tx: Tx, batch: Sequence[Received[ProfileExpired]]) -> None:
        """Store that the eSIM expired, and say so (RC 7)."""
        await self._record(tx, batch, lambda event: {"expired_at": event.expired_at})
        await self._email(tx, "expired", batch, lambda event: event.order_id)

    async def order_held(self, tx: Tx, batch: Sequence[Received[OrderHeld]]) -> None:
        """PP 4.5: a person reviews the order before it can be paid."""
        await self._email(tx, "held", batch, lambda event: event.order_id)

    async def order_released(self, tx: Tx, batch: Sequence[Received[OrderReleased]]) -> None:
        """PP 4.5: the order can be paid now."""
        await self._email(tx, "released", batch, lambda event: event.order_id)

    async def payment_lapsed(self, tx: Tx, batch: Sequence[Received[PaymentLapsed]]) -> None:
        """PO 4.2: nothing was paid in time, and a new order is needed."""
        await self._email(tx, "lapsed", batch, lambda event: event.order_id)

    async def order_refused(self, tx: Tx, batch: Sequence[Received[OrderRefused]]) -> None:
        """PP 4.5: the order cannot be paid."""
        await self._email(tx, "declined", batch, lambda event: event.order_id)

    async def profile_observed(self, tx: Tx, batch: Sequence[Received[ProfileObserved]]) -> None:
        """Store how the eSIM is used."""
        newest = {
            received.event.order_id: received
            for received in sorted(batch, key=lambda received: received.event.observed_at)
        }
        rows = [
            {
                **order_fields(event),
                "installed_at": event.installed_at,
                "activated_at": event.activated_at,
                "plan_ends_at": event.plan_ends_at,
                "used_bytes": event.usage.used_bytes,
                "total_bytes": event.usage.total_bytes,
                "usage_at": event.usage.observed_at,
            }
            for key in sorted(newest)
            if (event := newest[key].event)
        ]
        await tx.insert(orders, rows, on_conflict=_OBSERVED)

    async def _answer(
        self, tx: Tx, batch: Sequence[Received[E]], columns: Callable[[E], dict[str, Any]]
    ) -> dict[UUID, str]:
        """Set columns and `answered_at`. Returns the receipts that are stored already, by order."""
        rows = [
            {**order_fields(received.event), **columns(received.event), "answered_at": tx.now}
            for received in _first(batch)
        ]
        keep = ", ".join(f"{name} = COALESCE(orders.{name}, EXCLUDED.{name})" for name in columns(batch[0].event))
        rows_after = await tx.insert(
            orders,
            rows,
            on_conflict=_ANSWERED.format(columns=keep),
            returning="order_id, receipt->>'ticket_url' AS url",
        )
        return {row.order_id: row.url for row in rows_after if row.url is not None}

    async def _record(self, tx: Tx, batch: Sequence[Received[E]], columns: Callable[[E], dict[str, Any]]) -> None:
        await tx.record_facts(
            orders, "order_id", [{**order_fields(received.event), **columns(received.event)} for received in batch]
        )

    async def _email(self, tx: Tx, kind: str, batch: Iterable[Received[E]], subject: Callable[[E], UUID]) -> None:
        events = by_subject(batch, subject)
        if events:
            await self._queue.add(tx, kind, events)


def _schedule_check(tx: Tx, what: Check, bucket: int, after: float) -> None:
    """Schedule the check of orders paid in this bucket, for the time when it is over and `after` seconds have passed.

    One task checks all of them. If that task may be running already, another one is scheduled. It does not run at
    once: when payments are read late (a backlog), the code may be the next event.
    """
    since = _EPOCH + timedelta(seconds=bucket * BUCKET_SECONDS)
    due_at = since + timedelta(seconds=BUCKET_SECONDS + after)
    soonest = tx.now + timedelta(seconds=min(after, BUCKET_SECONDS))
    suffix = f":{uuid7()}" if due_at < soonest else ""
    due_at = max(due_at, soonest)
    tx.schedule("watch_orders", f"{what}:{bucket}{suffix}", WatchOrdersPayload(what=what, since=since), due_at=due_at)


def _first(batch: Iterable[Received[E]]) -> list[Received[E]]:
    """One event per order, sorted by id, so that all transactions lock rows in the same order."""
    first: dict[UUID, Received[E]] = {}
    for received in batch:
        first.setdefault(received.event.order_id, received)
    return [first[key] for key in sorted(first, key=attrgetter("int"))]
