"""Refunds of money through the bank."""

from payments.refunds.handlers import refund_approved
from payments.refunds.models import REFUND
from payments.refunds.routes import routes
from payments.refunds.rules.evidence import Evidence
from payments.refunds.store import lock_order, reserve, try_again
from payments.refunds.tasks import MakeRefund, RefundGauges, WatchPromisedDates, ask_evidence

__all__ = [
    "REFUND",
    "Evidence",
    "MakeRefund",
    "RefundGauges",
    "WatchPromisedDates",
    "ask_evidence",
    "lock_order",
    "refund_approved",
    "reserve",
    "routes",
    "try_again",
]
