"""Accepting orders, over HTTP and Kafka."""

from ordering.intake.handlers import HANDLERS, accept_submitted_orders

__all__ = ["HANDLERS", "accept_submitted_orders"]
