"""What every task that asks the bank uses. `app.py` makes it once."""

from dataclasses import dataclass

from payments.clients.bank import Bank
from payments.clients.models import Expected
from payments.metrics import PaymentMetrics
from shared.database import Database


@dataclass(slots=True, frozen=True)
class BankContext:
    """The bank, and where outcomes are stored and counted. `terminal`: our terminal at the bank."""

    bank: Bank
    database: Database
    metrics: PaymentMetrics
    terminal: str

    def expected(self, invoice_id: int, amount: int, currency: str, order_number: str | None = None) -> Expected:
        """A payment as the bank must show it."""
        return Expected(invoice_id, amount, currency, self.terminal, order_number)
