"""What the task of this feature carries."""

from datetime import datetime, timedelta

from pydantic import Field, field_serializer

from shared.task_payload import TaskPayload


class DeliveryDuePayload(TaskPayload):
    """Orders of one storefront that were paid within the minute that begins at `since` (UTC)."""

    storefront: str
    since: datetime
    #: Stored as `limit`: how long the storefront may take to deliver.
    limit_seconds: float = Field(alias="limit")

    @property
    def limit(self) -> timedelta:
        return timedelta(seconds=self.limit_seconds)

    @field_serializer("since")
    def _as_release_1_0_writes_it(self, since: datetime) -> str:
        return since.isoformat()
