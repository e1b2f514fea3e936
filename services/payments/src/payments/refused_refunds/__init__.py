"""What persons do about a refund that the bank refused: try it again, or pay it another way with a second person."""

from payments.refused_refunds.handlers import hand_payment_decided, hand_payment_recorded, refund_retry_requested
from payments.refused_refunds.routes import hand_payment_routes
from payments.refused_refunds.tasks import ConfirmHandPayment

__all__ = [
    "ConfirmHandPayment",
    "hand_payment_decided",
    "hand_payment_recorded",
    "hand_payment_routes",
    "refund_retry_requested",
]
