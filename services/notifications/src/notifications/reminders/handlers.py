"""Creates reminders from the facts of provisioning. Whether and when each is sent: delivery/reminders.py."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from notifications.delivery import EmailQueue, TracedEvent, by_subject
from notifications.emails import ApproachingEnd
from notifications.settings import Settings
from shared.contracts import DataLow, ProfileExpiring, order_fields
from shared.database import Tx
from shared.ids import uuid_for
from shared.messaging.consumer import Received

#: Of one eSIM the reminder about the most data used counts: after a top-up, or of the higher threshold. The events may
#: come in any order.
_MERGE = """
UPDATE mails m SET state = 'merged', settled_at = :now FROM mails h
WHERE m.kind = 'data_low' AND h.kind = 'data_low' AND m.order_id = ANY(CAST(:orders AS uuid[]))
  AND h.order_id = m.order_id AND m.state IN ('waiting', 'due', 'blocked')
  AND (CAST(h.facts->>'total_bytes' AS bigint), CAST(h.facts->>'threshold_percent' AS int))
    > (CAST(m.facts->>'total_bytes' AS bigint), CAST(m.facts->>'threshold_percent' AS int))
"""


class ReminderHandlers:
    """Handlers of events about eSIMs that soon stop working."""

    def __init__(self, queue: EmailQueue, settings: Settings) -> None:
        self._queue = queue
        self._gather = timedelta(seconds=settings.gather_seconds)

    async def data_low(self, tx: Tx, batch: Sequence[Received[DataLow]]) -> None:
        """Remind of the data that is left: once for each threshold, again after a top-up.

        The email waits a moment: one report may reach both thresholds, and then one email says so.
        """
        await self._queue.add(tx, "data_low", by_subject(batch, _threshold), after=self._gather)
        orders = sorted({received.event.order_id for received in batch}, key=lambda order_id: order_id.int)
        await tx.execute(_MERGE, orders=orders, now=tx.now)

    async def profile_expiring(self, tx: Tx, batch: Sequence[Received[ProfileExpiring]]) -> None:
        """Remind of the end: of the time to install an eSIM (RC 7), or of its plan."""
        unused = [received for received in batch if received.event.reason == "never_activated"]
        running = [received for received in batch if received.event.reason == "plan_ended"]
        if unused:
            await self._queue.add(tx, "expiring", _ends(unused))
        if running:
            await self._queue.add(tx, "ending", _ends(running))


def _threshold(event: DataLow) -> UUID:
    return uuid_for("data-low", str(event.order_id), str(event.threshold_percent), str(event.total_bytes))


def _ends(batch: Sequence[Received[ProfileExpiring]]) -> dict[UUID, TracedEvent]:
    """The emails by subject, which timers of an earlier release use too, so that no end is announced twice."""
    ends = {}
    for received in batch:
        event = received.event
        subject = event.order_id
        if event.reason == "plan_ended":
            subject = uuid_for("ending", str(event.order_id), event.ends_at.isoformat())
        end = ApproachingEnd(**order_fields(event), plan=event.plan, ends_at=event.ends_at)
        ends[subject] = TracedEvent(end, received.trace)
    return ends
