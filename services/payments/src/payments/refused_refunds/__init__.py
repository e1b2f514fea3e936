"""What persons do about a refund that the bank refused: retry it, or pay it another way with a second person."""

from payments.refused_refunds.handlers import hand_payment_decided, hand_payment_recorded, refund_retry_requested
from payments.refused_refunds.routes import routes
from payments.refused_refunds.tasks import ConfirmHandPayment, RefusedRefundGauges

__all__ = [
    "ConfirmHandPayment",
    "RefusedRefundGauges",
    "hand_payment_decided",
    "hand_payment_recorded",
    "refund_retry_requested",
    "routes",
]
