"""What becomes of an order: each fact sets its own columns, and the facts that concern the buyer become mails.

A receipt rides in the mail that says that the order is there, where it is known by then (`answered_at`); whichever of
the two comes second decides, under the lock of the order's row.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, TypeVar
from uuid import UUID

from notifications.delivery import EmailQueue, TracedEvent
from notifications.emails import TopUpWithReceipt
from notifications.settings import Settings
from notifications.tables import orders
from shared.contracts import (
    OrderEvent,
    OrderHeld,
    OrderPaid,
    OrderRefused,
    ProfileExpired,
    ProfileFailed,
    ProfileGenerated,
    ProfileObserved,
    ProfileRevoked,
    ReceiptIssued,
    TopUpApplied,
)
from shared.database import Tx
from shared.ids import uuid7
from shared.messaging.consumer import Received

E = TypeVar("E", bound=OrderEvent)
#: Orders paid within so many seconds are looked at together (orders/tasks.py).
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
#: Install state and usage only become newer; the times in them are the earliest known ones.
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
_LONGER = """
UPDATE orders o SET plan_ends_at = GREATEST(o.plan_ends_at, t.ends_at),
                    total_bytes = COALESCE(t.total_bytes, o.total_bytes)
FROM unnest(CAST(:ids AS uuid[]), CAST(:ends AS timestamptz[]), CAST(:totals AS bigint[]))
     AS t(order_id, ends_at, total_bytes)
WHERE o.order_id = t.order_id
"""


class OrderHandlers:
    """Applies what is said about orders and their eSIMs."""

    def __init__(self, mailing: EmailQueue, settings: Settings) -> None:
        self._mailing = mailing
        self._settings = settings

    async def order_paid(self, tx: Tx, batch: Sequence[Received[OrderPaid]]) -> None:
        """Watch the order: where no code comes, the buyer hears that we have the order, and later that we are on it."""
        paid = _first(batch)
        await tx.execute(
            _PAID,
            orders=[one.event.order_id for one in paid],
            facts=[one.event.model_dump_json() for one in paid],
            traces=[one.trace for one in paid],
        )
        buckets = {int((one.event.paid_at - _EPOCH).total_seconds()) // BUCKET_SECONDS for one in batch}
        for what, after in (
            ("answer", self._settings.order_mail_after_seconds),
            ("delay", self._settings.delay_mail_after_seconds),
        ):
            for bucket in sorted(buckets):
                _watch(tx, what, bucket, after)

    async def receipt_issued(self, tx: Tx, batch: Sequence[Received[ReceiptIssued]]) -> None:
        """PO 4.3. A sale's receipt has a mail of its own only where the order's mail is made already."""
        sales = [one for one in batch if one.event.kind == "sale"]
        rows = [{**_order(one.event), "receipt": one.event.model_dump(mode="json")} for one in _first(sales)]
        fresh = await tx.insert(orders, rows, on_conflict=_FIRST_RECEIPT, returning="order_id, answered_at")
        late = {row.order_id for row in fresh if row.answered_at is not None}
        own = [one for one in batch if one.event.kind == "sale_return" or one.event.order_id in late]
        await self._mail(tx, "receipt", own, lambda event: event.receipt_id)

    async def profile_generated(self, tx: Tx, batch: Sequence[Received[ProfileGenerated]]) -> None:
        """The code must reach the buyer (PO 3.4); and must be installed in time (RC 7)."""
        await self._mailing.codes_due(tx, {one.event.order_id: TracedEvent(one.event, one.trace) for one in batch})
        ahead = timedelta(seconds=self._settings.expiry_mail_before_seconds)
        for day in sorted({one.event.valid_until.astimezone(UTC).date() for one in batch}):
            midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
            tx.schedule("watch_expiry", str(day), {"since": midnight.isoformat()}, due_at=max(tx.now, midnight - ahead))

    async def top_up_applied(self, tx: Tx, batch: Sequence[Received[TopUpApplied]]) -> None:
        """The eSIM has more data and time."""
        receipts = await self._answer(tx, batch, lambda e: {"topped_up_at": e.applied_at})
        facts = {
            one.event.order_id: TracedEvent(
                TopUpWithReceipt.model_construct(**dict(one.event), receipt_url=receipts.get(one.event.order_id)),
                one.trace,
            )
            for one in batch
        }
        await self._mailing.due(tx, "topup", facts)
        longest = {one.event.esim_order_id: one.event for one in sorted(batch, key=lambda one: one.event.applied_at)}
        await tx.execute(
            _LONGER,
            ids=sorted(longest),
            ends=[longest[key].plan_ends_at for key in sorted(longest)],
            totals=[longest[key].total_bytes for key in sorted(longest)],
        )

    async def profile_failed(self, tx: Tx, batch: Sequence[Received[ProfileFailed]]) -> None:
        """No code will come; refunds decides what follows, and its decision is what the buyer is told."""
        await self._record(tx, batch, lambda event: {"failed_at": event.failed_at})

    async def profile_revoked(self, tx: Tx, batch: Sequence[Received[ProfileRevoked]]) -> None:
        """The code works no longer."""
        await self._record(tx, batch, lambda event: {"revoked_at": event.revoked_at})

    async def profile_expired(self, tx: Tx, batch: Sequence[Received[ProfileExpired]]) -> None:
        """The eSIM's time is over."""
        await self._record(tx, batch, lambda event: {"expired_at": event.expired_at})

    async def order_held(self, tx: Tx, batch: Sequence[Received[OrderHeld]]) -> None:
        """PP 4.5: a person reviews the order before it can be paid."""
        await self._mail(tx, "held", batch, lambda event: event.order_id)

    async def order_refused(self, tx: Tx, batch: Sequence[Received[OrderRefused]]) -> None:
        """PP 4.5: the order cannot be paid."""
        await self._mail(tx, "declined", batch, lambda event: event.order_id)

    async def profile_observed(self, tx: Tx, batch: Sequence[Received[ProfileObserved]]) -> None:
        """How the eSIM is used; when its plan ends, a timer says so beforehand."""
        newest = {one.event.order_id: one for one in sorted(batch, key=lambda one: one.event.observed_at)}
        rows = [
            {
                **_order(event),
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
        ahead = timedelta(seconds=self._settings.plan_mail_before_seconds)
        for key in sorted(newest):
            if (ends_at := newest[key].event.plan_ends_at) is not None and ends_at > tx.now:
                tx.schedule("watch_plan", str(key), due_at=max(tx.now, ends_at - ahead), trace=newest[key].trace)

    async def _answer(
        self, tx: Tx, batch: Sequence[Received[E]], columns: Callable[[E], dict[str, Any]]
    ) -> dict[UUID, str]:
        """Set columns and that the order's mail is made; returns the receipts known by then, by order."""
        rows = [{**_order(one.event), **columns(one.event), "answered_at": tx.now} for one in _first(batch)]
        keep = ", ".join(f"{name} = COALESCE(orders.{name}, EXCLUDED.{name})" for name in columns(batch[0].event))
        found = await tx.insert(
            orders,
            rows,
            on_conflict=_ANSWERED.format(columns=keep),
            returning="order_id, receipt->>'ticket_url' AS url",
        )
        return {row.order_id: row.url for row in found if row.url is not None}

    async def _record(self, tx: Tx, batch: Sequence[Received[E]], columns: Callable[[E], dict[str, Any]]) -> None:
        await tx.record_facts(orders, "order_id", [{**_order(one.event), **columns(one.event)} for one in batch])

    async def _mail(self, tx: Tx, kind: str, batch: Iterable[Received[E]], subject: Callable[[E], UUID]) -> None:
        facts = {subject(one.event): TracedEvent(one.event, one.trace) for one in batch}
        if facts:
            await self._mailing.due(tx, kind, facts)


def _watch(tx: Tx, what: str, bucket: int, after: float) -> None:
    """Look at the orders paid in this bucket when it is over and `after` seconds more have passed.

    One row for all of them. Where that look may be going on already, a look of its own is scheduled; not at once, since
    whoever hears of the payment late may be about to hear of the code.
    """
    since = _EPOCH + timedelta(seconds=bucket * BUCKET_SECONDS)
    due_at = since + timedelta(seconds=BUCKET_SECONDS + after)
    soonest = tx.now + timedelta(seconds=min(after, BUCKET_SECONDS))
    own = f":{uuid7()}" if due_at < soonest else ""
    due_at = max(due_at, soonest)
    tx.schedule("watch_orders", f"{what}:{bucket}{own}", {"what": what, "since": since.isoformat()}, due_at=due_at)


def _order(event: OrderEvent) -> dict[str, Any]:
    return {name: getattr(event, name) for name in OrderEvent.model_fields}


def _first(batch: Iterable[Received[E]]) -> list[Received[E]]:
    """One fact per order, in the order of ids: rows are locked in the same order by everybody."""
    found: dict[UUID, Received[E]] = {}
    for one in batch:
        found.setdefault(one.event.order_id, one)
    return [found[key] for key in sorted(found, key=attrgetter("int"))]
