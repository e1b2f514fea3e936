"""What recurs: lapsed orders, promised dates, the balance of the ledger, revenue, the start of a day's comparison.

One loop per process. The row of a chore in `housekeeping` says when it is due and how far it has looked; it is locked
while the chore runs, so that one process does it, and a crash leaves it due. A chore has seen everything only up to a
margin ago: a transaction that began since then may not have committed yet.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from payments.ledger import store as ledger
from payments.metrics import PaymentMetrics
from payments.reconciliation import store as reconciliation
from shared.contracts import PaymentLapsed
from shared.database import Database, Tx
from shared.supervision import STALLED_SECONDS, Loop
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
#: Orders per transaction.
_STEP = 1000
#: The balance is checked in slices of at most this, after a long stop.
_SLICE = timedelta(minutes=10)

#: A chore looks from `since` on; up to `until` all can be seen. It returns how far it came, and whether to go on.
Chore = Callable[[Tx, datetime, datetime], Awaitable[tuple[datetime, bool]]]

_DUE = """
SELECT until FROM housekeeping WHERE name = :name AND due_at <= :now FOR UPDATE SKIP LOCKED
"""
_DONE = "UPDATE housekeeping SET due_at = :due_at, until = :until WHERE name = :name"
_UNPAID = """
SELECT order_id, lapse_at FROM payment_orders
WHERE lapse_at > :since AND lapse_at <= :until AND captured_invoice IS NULL AND lapsed_at IS NULL
ORDER BY lapse_at LIMIT :step
"""
_LAPSED = """
UPDATE payment_orders SET lapsed_at = :now
WHERE order_id = ANY(CAST(:orders AS uuid[])) AND captured_invoice IS NULL AND lapsed_at IS NULL
RETURNING order_id, order_number, storefront, buyer_id, trace
"""
_WARNED = """
UPDATE refunds SET warned_at = :now
WHERE state IN ('approved', 'calling') AND pay_by <= :soon AND warned_at IS NULL
RETURNING refund_id, order_id, storefront, pay_by
"""
_MISSED = """
UPDATE refunds SET missed_at = :now
WHERE state IN ('approved', 'calling') AND pay_by <= :now AND missed_at IS NULL
RETURNING refund_id, order_id, storefront, pay_by
"""
_FIGURES = """
SELECT count(*) FILTER (WHERE pay_by > :now) AS soon, count(*) FILTER (WHERE pay_by <= :now) AS overdue
FROM refunds WHERE state IN ('approved', 'calling') AND pay_by <= :soon
"""
#: Where nothing is left of the capture, nothing is owed any more: another refund has returned it.
_REFUSED = """
SELECT count(*) AS open, min(r.refused_at) AS oldest,
  (SELECT count(*) FROM hand_payments WHERE state IN ('recorded', 'confirming')) AS unconfirmed
FROM refunds r LEFT JOIN payment_orders o ON o.order_id = r.order_id
LEFT JOIN surplus_charges s ON s.charge_id = r.charge_id
WHERE r.state = 'failed' AND CASE WHEN r.charge_id IS NULL THEN o.captured_minor > o.refunded_minor - r.hand_minor
  ELSE s.amount_minor > s.refunded_minor - r.hand_minor END
"""


class Chores:
    """The loop. `seconds` between two rounds; `reconcile_after` midnight UTC, or None: days are not compared."""

    def __init__(
        self,
        database: Database,
        metrics: PaymentMetrics,
        *,
        seconds: float,
        margin: timedelta,
        warn_before: timedelta,
        revenue_after: timedelta,
        reconcile_after: timedelta | None,
    ) -> None:
        self._database = database
        self._metrics = metrics
        self._seconds = seconds
        self._margin = margin
        self._warn_before = warn_before
        self._revenue_after = revenue_after
        self._reconcile_after = reconcile_after
        self._chores: Mapping[str, Chore] = {
            "lapse": self._lapse,
            "promises": self._promises,
            "balance": self._balance,
            "revenue": self._revenue,
            "reconcile": self._reconcile,
        }

    async def run(self, loop: Loop) -> None:
        """Until cancelled. Each chore is watched by itself: one that always fails is seen though the others succeed."""

        async def round_() -> None:
            for name, chore in self._chores.items():
                await self._whole(name, chore, loop)
            with loop.step():
                await self._figures()

        await loop.repeat(round_, self._seconds, "figures_failed")

    async def _whole(self, name: str, chore: Chore, loop: Loop) -> None:
        """All steps of a chore that is due."""
        part = loop.part(name)
        part.allowed_seconds = self._seconds + STALLED_SECONDS
        part.begin()
        try:
            while await self._once(name, chore):
                part.progress()
                loop.progress()
        except Exception as error:  # noqa: BLE001 - due again at once; the next chore need not wait
            log.warning("chore_failed", chore=name, error=error)
        else:
            part.succeed()

    async def _once(self, name: str, chore: Chore) -> bool:
        """One step of a chore that is due; True when there is more to do at once."""
        async with self._database.transaction("chore") as tx:
            since: datetime | None = (await tx.execute(_DUE, name=name, now=tx.now)).scalar()
            if since is None:
                return False
            until = max(since, tx.now - self._margin)
            came, more = await chore(tx, since, until)
            due_at = tx.now if more else tx.now + timedelta(seconds=self._seconds * 0.9)
            await tx.execute(_DONE, name=name, due_at=due_at, until=came)
        return more

    async def _lapse(self, tx: Tx, since: datetime, until: datetime) -> tuple[datetime, bool]:
        """Orders that nobody paid in their storefront's time."""
        # Up to this very moment; what lies within the margin is looked at again.
        unpaid = (await tx.execute(_UNPAID, since=since, until=tx.now, step=_STEP)).all()
        rows = (await tx.execute(_LAPSED, orders=sorted(row.order_id for row in unpaid), now=tx.now)).all()
        for row in rows:
            lapsed = PaymentLapsed(
                order_id=row.order_id,
                order_number=row.order_number,
                storefront=row.storefront,
                buyer_id=row.buyer_id,
                lapsed_at=tx.now,
            )
            tx.publish(lapsed, trace=row.trace)
        self._metrics.lapsed.inc(len(rows))
        if len(unpaid) < _STEP:
            return until, False
        # Others may lapse at the same moment as the last one.
        return min(until, unpaid[-1].lapse_at - timedelta(microseconds=1)), True

    async def _promises(self, tx: Tx, _since: datetime, until: datetime) -> tuple[datetime, bool]:
        """Refunds whose promised date is near, and those that have missed it; each is told once."""
        for row in await tx.execute(_WARNED, now=tx.now, soon=tx.now + self._warn_before):
            log.warning("refund_due_soon", **_named(row))
        for row in await tx.execute(_MISSED, now=tx.now):
            log.error("refund_overdue", **_named(row))
        return until, False

    async def _balance(self, tx: Tx, since: datetime, until: datetime) -> tuple[datetime, bool]:
        """Does the ledger agree with the orders and refunds that it is about?"""
        came = min(until, since + _SLICE)
        for row in await ledger.check(tx, since, came):
            log.error("ledger_imbalance", order_id=str(row.order_id), currency=row.currency, off_minor=row.off_minor)
        return came, came < until

    async def _revenue(self, tx: Tx, since: datetime, until: datetime) -> tuple[datetime, bool]:
        """Funds of orders whose regular time for refunds is over."""
        return await ledger.recognise(tx, since, max(since, until - self._revenue_after))

    async def _reconcile(self, tx: Tx, since: datetime, until: datetime) -> tuple[datetime, bool]:
        """Each day that is over gets its comparison with the bank."""
        if self._reconcile_after is None:
            return until, False
        day = since.date()
        end = datetime.fromisoformat(f"{day}T00:00:00+00:00") + timedelta(days=1)
        if tx.now < end + self._reconcile_after:
            return since, False
        await reconciliation.start(tx, day)
        return end, True

    async def _figures(self) -> None:
        """Every process shows the same: they are read from the database."""
        async with self._database.reading() as tx:
            row = (await tx.execute(_FIGURES, now=tx.now, soon=tx.now + self._warn_before)).one()
            refused = (await tx.execute(_REFUSED)).one()
            off = (await tx.execute("SELECT COALESCE(sum(off_minor), 0)::bigint FROM ledger_imbalances")).scalar()
        self._metrics.due_soon.set(row.soon)
        self._metrics.overdue.set(row.overdue)
        self._metrics.imbalance.set(off)
        self._metrics.refused_open.set(refused.open)
        waited = 0.0 if refused.oldest is None else (self._database.clock.now() - refused.oldest).total_seconds()
        self._metrics.refused_oldest.set(max(0.0, waited))
        self._metrics.hand_unconfirmed.set(refused.unconfirmed)


def _named(row: Any) -> dict[str, str]:
    refund_id: UUID = row.refund_id
    return {
        "refund_id": str(refund_id),
        "order_id": str(row.order_id),
        "storefront": row.storefront,
        "pay_by": row.pay_by.isoformat(),
    }
