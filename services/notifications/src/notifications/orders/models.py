"""Payloads of the tasks that check orders."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.task_payload import TaskPayload

#: `answer`: tell the buyer that the order is received. `delay`: tell the buyer that it is delayed.
Check = Literal["answer", "delay"]


class WatchExpiryPayload(TaskPayload):
    """Payload of `watch_expiry`: the day that begins at `since`, orders after `after` (None: from the first)."""

    since: datetime
    after: UUID | None = None


class WatchOrdersPayload(TaskPayload):
    """Payload of `watch_orders`: the orders paid in the seconds from `since`, after `after` (None: from the first)."""

    what: Check
    since: datetime
    after: UUID | None = None
