"""What an email to a shop is made from."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from shared.task_payload import TaskPayload

#: The kind of task; its key names the endpoint and when it was disabled.
SEND_NOTICE = "send_notice"
#: The kind of task; its key names the case or claim, and the deadline.
SEND_ALERT = "send_alert"


class EndpointDisabledNotice(TaskPayload):
    """A webhook endpoint of the shop was disabled (`ordering.webhook-endpoint-disabled`)."""

    notice_id: UUID
    storefront: str
    endpoint_id: UUID
    description: str
    reason: Literal["gone", "failing"]
    failing_since: datetime | None = None
    stopped: int
    disabled_at: datetime


class DeadlineNotice(TaskPayload):
    """A deadline of a case or claim is near (`refunds.deadline-near`)."""

    notice_id: UUID
    storefront: str
    order_number: str
    subject_id: UUID
    kind: str
    due_at: datetime
    page: str | None = None
