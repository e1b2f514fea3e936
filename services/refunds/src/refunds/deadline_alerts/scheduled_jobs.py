"""The recurring job that announces deadlines before they pass: an event for each, which notifications mails to agents.

A job and no task for each deadline: deadlines move with every decision, and those that an earlier release stored are
announced too.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from prometheus_client import CollectorRegistry, Counter

from refunds.deadline_alerts.store import delete_past, mark, near
from shared.contracts import DeadlineNear, order_fields
from shared.database import Database, Tx
from shared.shops.files import ShopFiles
from shared.supervision import Loop
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
_EVERY_SECONDS = 15.0


class DeadlineAlerts:
    """A loop of every instance; the first that stores a deadline announces it.

    `hours`: how long before, where a shop sets no time of its own. `pages`: where browsers reach the agents' pages.
    """

    def __init__(
        self, database: Database, shops: ShopFiles, registry: CollectorRegistry, *, hours: float, pages: str
    ) -> None:
        self._database, self._shops = database, shops
        self._within, self._pages = timedelta(hours=hours), pages.rstrip("/")
        self._announced = Counter(
            "refund_deadline_alerts",
            "Deadlines that were announced to agents before they passed, by storefront and kind",
            ["storefront", "kind"],
            registry=registry,
        )

    async def run(self, loop: Loop) -> None:
        """Run until cancelled."""
        await loop.repeat(self.announce, _EVERY_SECONDS, "deadline_alerts_failed")

    async def announce(self) -> None:
        """Announce the deadlines of the shops that name an address for alerts."""
        times = dict(self._times())
        if not times:
            return
        async with self._database.transaction("maintain") as tx:
            found = [one for slug, within in times.items() for one in await near(tx, slug, within)]
            stored = await mark(tx, found)
            for deadline in found:
                if (deadline.subject_id, deadline.kind, deadline.due_at) in stored:
                    self._publish(tx, deadline)
            await delete_past(tx)

    def _times(self) -> Iterator[tuple[str, timedelta]]:
        for slug, shop in self._shops.current().items():
            if shop.alerts is not None:
                hours = shop.alerts.deadline_hours
                yield slug, self._within if hours is None else timedelta(hours=hours)

    def _publish(self, tx: Tx, deadline: Any) -> None:
        part = "claims" if deadline.is_claim else "cases"
        event = DeadlineNear(
            **order_fields(deadline),
            case_id=None if deadline.is_claim else deadline.subject_id,
            claim_id=deadline.subject_id if deadline.is_claim else None,
            kind=deadline.kind,
            due_at=deadline.due_at,
            alerted_at=tx.now,
            page=f"{self._pages}/agents/{part}/{deadline.subject_id}" if self._pages else None,
        )
        tx.publish(event, trace=deadline.trace)
        self._announced.labels(deadline.storefront, deadline.kind).inc()
        log.warning("deadline_near", subject_id=str(deadline.subject_id), kind=deadline.kind)
