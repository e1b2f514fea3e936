"""The daily comparison of our ledger with the bank."""

from payments.reconciliation.routes import routes
from payments.reconciliation.tasks import CompareInvoice, PlanDay, StartDays

__all__ = ["CompareInvoice", "PlanDay", "StartDays", "routes"]
