"""What shops hear about their orders: updates, written with the fact that they state."""

from ordering.updates.actions import record, write
from ordering.updates.handlers import HANDLERS
from ordering.updates.rules import rejected_submission, update_of_order
from ordering.updates.tasks import DeleteOldUpdates

__all__ = ["HANDLERS", "DeleteOldUpdates", "record", "rejected_submission", "update_of_order", "write"]
