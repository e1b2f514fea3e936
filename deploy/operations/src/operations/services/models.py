"""A watched service, as it is shown. Times are UTC."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from shared.operations.answers import Summary


class ServiceView(BaseModel):
    """The last answer of a service, or the `problem` that prevented one.

    `summary`: its own operations summary, of `summary_at`; `operators`: provisioning's view of its operators.
    """

    service: str
    url: str
    asked_at: datetime | None
    ready: bool
    not_ready_since: datetime | None
    checks: dict[str, str]
    summary: Summary | None
    summary_at: datetime | None
    operators: list[dict[str, Any]] | None
    problem: str | None
