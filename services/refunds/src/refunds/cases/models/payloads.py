"""What the tasks of this feature carry."""

from uuid import UUID

from shared.task_payload import TaskPayload


class CaseDuePayload(TaskPayload):
    """The order whose open cases are to be decided again."""

    order_id: UUID
