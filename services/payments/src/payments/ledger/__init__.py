"""The double-entry ledger of every order, its balance, and revenue."""

from payments.ledger.routes import routes
from payments.ledger.store import COLUMNS, post_late
from payments.ledger.tasks import LedgerGauge, RecogniseRevenue, check_balance

__all__ = ["COLUMNS", "LedgerGauge", "RecogniseRevenue", "check_balance", "post_late", "routes"]
