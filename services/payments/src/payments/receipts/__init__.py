"""Fiscal receipts of payments and refunds, at storefronts with a cash register (PO 4.3)."""

from payments.receipts.handlers import ReceiptIntents
from payments.receipts.routes import routes
from payments.receipts.tasks import IssueReceipts
from payments.receipts.turns import Turns

__all__ = ["IssueReceipts", "ReceiptIntents", "Turns", "routes"]
