"""Opens cases for orders that were not delivered in time (RF 2.3).

A task for each order would double the work of every order for the sake of a few late ones. So the orders of one
storefront and minute share a task. It is due when the last of them must have been delivered, and finds those that were
not.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol
from uuid import UUID

from refunds.cases import Audit, CaseService, Request
from refunds.cases.models.case import NOT_DELIVERED
from refunds.late_deliveries.models import DeliveryDuePayload
from refunds.late_deliveries.store import undelivered
from refunds.policy import OrderPolicies
from shared.contracts import OrderPaid
from shared.database import Tx
from shared.outcomes import Done, NotDue
from shared.tasks import Task, TaskResult
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
DELIVERY_DUE = "delivery_due"
_PERIOD = timedelta(minutes=1)
#: A delivery in the last second is published a moment later.
_MARGIN = timedelta(minutes=1)
#: Where the policy promises no time, a person is alarmed after this.
ALARM_AFTER = timedelta(hours=24)
_READ_AGAIN_AFTER = timedelta(seconds=2)


class GroupPosition(Protocol):
    """The position of this service's consumer group."""

    async def caught_up(self) -> bool:
        """Whether all events that were published before this call have been applied."""
        ...


def schedule_checks(tx: Tx, policies: OrderPolicies, paid: Iterable[OrderPaid]) -> None:
    """Check these orders when they must have been delivered."""
    minutes = {(event.storefront, _minute(event.paid_at)): event.paid_at for event in paid}
    for (storefront, since), paid_at in minutes.items():
        limit = policies.delivery_limit(storefront, paid_at) or ALARM_AFTER
        tx.schedule(
            DELIVERY_DUE,
            f"{storefront}/{since.isoformat()}",
            DeliveryDuePayload(storefront=storefront, since=since, limit_seconds=limit.total_seconds()),
            due_at=since + _PERIOD + limit + _MARGIN,
        )


class DeliveryDue:
    """Opens a case for each late order where the policy promises a time, and alarms a person about the others.

    A missing fact is no proof that nothing happened. So the task first waits until all events that were published up
    to now have been applied.
    """

    kind = DELIVERY_DUE
    concurrency = 1
    payload = DeliveryDuePayload

    def __init__(self, case_service: CaseService, position: GroupPosition) -> None:
        self._case_service = case_service
        self._position = position

    async def perform(self, task: Task[DeliveryDuePayload]) -> Done[DeliveryDuePayload] | NotDue:
        """Wait until all events are applied; then `record` finds the late orders of the minute."""
        if not await self._position.caught_up():
            return NotDue(_READ_AGAIN_AFTER, "events are still to be read")
        return Done(task.payload)

    async def record(self, tx: Tx, results: Sequence[TaskResult[DeliveryDuePayload, DeliveryDuePayload]]) -> None:
        """Find the late orders, and open their cases or raise an alarm."""
        wanted: dict[UUID, list[Request]] = {}
        audit = Audit(tx, "system")
        for minute in (result.result for result in results):
            promised = self._case_service.policies.delivery_limit(minute.storefront, minute.since) is not None
            until = minute.since + _PERIOD
            for row in await undelivered(tx, minute.storefront, minute.since, until, minute.limit):
                bounced = row.delivery_failed_at is not None
                audit.add_of("delivery_overdue", row.order_id, promised=promised, mailbox_refused=bounced)
                self._case_service.metrics.missed.labels(minute.storefront, "delivery").inc()
                log.error("delivery_overdue", order_id=str(row.order_id), storefront=minute.storefront)
                # The buyer may have given a wrong address: a person must find out why the mail bounced.
                if promised and not bounced:
                    wanted[row.order_id] = [
                        Request(reason="not_delivered", ground=NOT_DELIVERED, channel="system", origin="system")
                    ]
        await audit.write()
        if wanted:
            await self._case_service.open_of_system(tx, wanted, {})


def _minute(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)
