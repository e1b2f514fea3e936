"""Tasks: calls to systems outside, retries, deadlines and timers, each a row of the table `work`."""

from shared.tasks.models import Task, TaskHandler, TaskResult
from shared.tasks.worker import TaskWorker

__all__ = ["Task", "TaskHandler", "TaskResult", "TaskWorker"]
