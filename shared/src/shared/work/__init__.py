"""Due work: the row is the to-do. Calls to the outside, retries, deadlines and timers are one mechanism."""

from shared.work.board import Board
from shared.work.types import Done, Item, Job, Later, NeedsPersonError, NotNow, Unknown

__all__ = ["Board", "Done", "Item", "Job", "Later", "NeedsPersonError", "NotNow", "Unknown"]
