"""Tasks: calls to systems outside, retries, deadlines and timers, each a row of the table `work`."""

from shared.tasks.exceptions import Later, NeedsPersonError, NotNow, Unknown
from shared.tasks.models import Task, TaskHandler, TaskResult
from shared.tasks.worker import TaskWorker

__all__ = [
    "Later",
    "NeedsPersonError",
    "NotNow",
    "Task",
    "TaskHandler",
    "TaskResult",
    "TaskWorker",
    "Unknown",
]
