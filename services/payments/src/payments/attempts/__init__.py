"""Attempts to pay an order, and the one capture that an order keeps (invariant I2)."""

from payments.attempts.handlers import order_placed, order_row
from payments.attempts.models import CHECK, POLL, CheckPayload, LapseTimes
from payments.attempts.routes import routes
from payments.attempts.tasks import CheckStatus, DuplicateCapture, LapseOrders

__all__ = [
    "CHECK",
    "POLL",
    "CheckPayload",
    "CheckStatus",
    "DuplicateCapture",
    "LapseOrders",
    "LapseTimes",
    "order_placed",
    "order_row",
    "routes",
]
