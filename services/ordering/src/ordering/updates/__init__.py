"""What shops hear about their orders: updates, written with the fact that they state."""

from ordering.updates.actions import record, write
from ordering.updates.examples import EXAMPLES
from ordering.updates.handlers import HANDLERS
from ordering.updates.rules import rejected_submission, update_of_order
from ordering.updates.tasks import DeleteOldUpdates
from ordering.updates.topics import UpdatesTopics

__all__ = [
    "EXAMPLES",
    "HANDLERS",
    "DeleteOldUpdates",
    "UpdatesTopics",
    "record",
    "rejected_submission",
    "update_of_order",
    "write",
]
