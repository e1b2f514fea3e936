"""Accepting orders, over HTTP and Kafka."""

from ordering.intake.group_commit import GroupCommit
from ordering.intake.handlers import HANDLERS, accept_submitted_orders

__all__ = ["HANDLERS", "GroupCommit", "accept_submitted_orders"]
