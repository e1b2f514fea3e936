"""Tasks: calls to systems outside, retries, deadlines and timers, each a row of the table `work`."""

from shared.tasks.models import RecordOnly, Task, TaskHandler, TaskResult
from shared.tasks.worker import TaskWorker

__all__ = ["RecordOnly", "Task", "TaskHandler", "TaskResult", "TaskWorker"]
