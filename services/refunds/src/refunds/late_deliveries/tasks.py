"""Orders that were not delivered in time (RF 2.3).

A row per order would double the work of every order for the sake of those few. So orders of one storefront and minute
share a row: it falls due when the last of them must have been delivered, and looks for those that were not.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

from refunds.cases import CaseService, Request
from refunds.cases.models.case import NOT_DELIVERED
from refunds.cases.store.cases import Audit
from refunds.policy.rules.order_policies import OrderPolicies
from shared.contracts import OrderPaid
from shared.database import Tx
from shared.tasks import Later, Task, TaskResult
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
DELIVERY_DUE = "delivery_due"
_TOGETHER = timedelta(minutes=1)
#: A delivery in the last second is told a moment later.
_TELLING = timedelta(minutes=1)
#: Where the policy promises no time, somebody should look after so long.
ALARM_AFTER = timedelta(hours=24)
_AGAIN = timedelta(seconds=2)

_LATE = """
SELECT order_id, delivery_failed_at FROM order_facts
WHERE storefront = :storefront AND paid_at >= :since AND paid_at < :until AND paid_at + :limit <= :now
  AND delivered_at IS NULL AND top_up_applied_at IS NULL AND failed_at IS NULL AND revoked_at IS NULL
  AND settled_at IS NULL AND approved_minor < paid_minor
ORDER BY order_id
"""


class Reading(Protocol):
    """Knows whether everything that was told so far has been applied."""

    async def caught_up(self) -> bool: ...


@dataclass(slots=True, frozen=True)
class Minute:
    """Orders of one storefront that were paid in this minute."""

    storefront: str
    since: datetime
    limit: timedelta


def watch_delivery(tx: Tx, policies: OrderPolicies, paid: Iterable[OrderPaid]) -> None:
    """Look at these orders when they must have been delivered."""
    for event in {(one.storefront, _minute(one.paid_at)): one for one in paid}.values():
        since = _minute(event.paid_at)
        limit = delivery_limit(policies, event.storefront, event.paid_at) or ALARM_AFTER
        tx.schedule(
            DELIVERY_DUE,
            f"{event.storefront}/{since.isoformat()}",
            {"storefront": event.storefront, "since": since.isoformat(), "limit": limit.total_seconds()},
            due_at=since + _TOGETHER + limit + _TELLING,
        )


def delivery_limit(policies: OrderPolicies, storefront: str, paid_at: datetime) -> timedelta | None:
    """How long the storefront may take by its policy; None: it promises no time."""
    policy = policies.policy(storefront, paid_at)
    return None if policy is None or policy.delivery_hours is None else timedelta(hours=policy.delivery_hours)


class DeliveryDue:
    """Opens the cases of what was promised in time and did not come; of the rest somebody is told.

    That nothing is known is no proof that nothing happened: before silence counts, everything that the other services
    told until now must have been read.
    """

    kind = DELIVERY_DUE
    concurrency = 1

    def __init__(self, case_service: CaseService, reading: Reading) -> None:
        self._case_service = case_service
        self._reading = reading

    async def perform(self, task: Task) -> Minute:
        """The minute to look at, once everything has been read. Raises Later until then."""
        if not await self._reading.caught_up():
            raise Later(_AGAIN, "facts are still to be read")
        since = datetime.fromisoformat(task.payload["since"])
        return Minute(task.payload["storefront"], since, timedelta(seconds=task.payload["limit"]))

    async def record(self, tx: Tx, done: Sequence[TaskResult[Minute]]) -> None:
        """Find what is late; open its cases or tell of it."""
        wanted: dict[UUID, list[Request]] = {}
        audit = Audit(tx, "system")
        for minute in (one.result for one in done):
            promised = delivery_limit(self._case_service.policies, minute.storefront, minute.since) is not None
            for row in await _late(tx, minute):
                audit.add(
                    "delivery_overdue",
                    order_id=row.order_id,
                    promised=promised,
                    mailbox_refused=row.delivery_failed_at is not None,
                )
                self._case_service.metrics.missed.labels(minute.storefront, "delivery").inc()
                log.error("delivery_overdue", order_id=str(row.order_id), storefront=minute.storefront)
                # A mailbox that refused may have been named wrongly: whose fault that is, a person must see.
                if promised and row.delivery_failed_at is None:
                    wanted[row.order_id] = [
                        Request(reason="not_delivered", ground=NOT_DELIVERED, channel="system", origin="system")
                    ]
        await audit.write()
        if wanted:
            await self._case_service.open_of_system(tx, wanted, {})


async def _late(tx: Tx, minute: Minute) -> Sequence[Any]:
    found = await tx.execute(
        _LATE,
        storefront=minute.storefront,
        since=minute.since,
        until=minute.since + _TOGETHER,
        limit=minute.limit,
        now=tx.now,
    )
    return found.all()


def _minute(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)
