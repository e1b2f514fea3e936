"""What persons do about a refund that the bank refused: try it again, or pay it another way with a second person."""

from payments.hand_payments.handlers import hand_payment_decided, hand_payment_recorded, refund_retry_requested
from payments.hand_payments.routes import hand_payment_routes
from payments.hand_payments.tasks import ConfirmHandPayment

__all__ = [
    "ConfirmHandPayment",
    "hand_payment_decided",
    "hand_payment_recorded",
    "hand_payment_routes",
    "refund_retry_requested",
]
