"""Due work: the row is the to-do. Calls to the outside, retries, deadlines and timers are one mechanism."""

from shared.tasks.models import Later, NeedsPersonError, NotNow, Task, TaskHandler, TaskResult, Unknown
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
