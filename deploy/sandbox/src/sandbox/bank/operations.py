"""Refund, cancel, charge (docs/wire/epay.md): what is allowed from which status, and how much."""

from sandbox.bank.ledger import BankLedger, Refund, Transaction
from sandbox.bank.payform import RefusedError
from sandbox.clock import now
from sandbox.money import to_minor
from sandbox.settings import PartialRefundStatus

SMALLEST_REFUND = {"KZT": 1000}
"""In minor units; no minimum is known for other currencies."""


def refund(
    ledger: BankLedger,
    transaction: Transaction,
    *,
    amount: str | None,
    external_id: str | None,
    deduplicate: bool,
    partial_status: PartialRefundStatus,
) -> None:
    """Give money back, all that remains unless an amount is named."""
    if deduplicate and external_id and any(past.external_id == external_id for past in transaction.refunds):
        return
    if transaction.status != "CHARGE":
        raise RefusedError(100, f"refund is not possible from status {transaction.status}")
    wanted = transaction.remaining if amount is None else to_minor(amount)
    if wanted is None:
        raise RefusedError(100, "amount is not an amount of money")
    if wanted < SMALLEST_REFUND.get(transaction.currency, 1):
        raise RefusedError(100, f"the amount is below the smallest refund in {transaction.currency}")
    if wanted > transaction.remaining:
        raise RefusedError(100, "the amount is more than what remains of the payment")
    transaction.refunds.append(Refund(amount=wanted, external_id=external_id, at=now()))
    transaction.refunded += wanted
    transaction.status = "REFUND" if transaction.remaining == 0 else partial_status
    _record(ledger, transaction)


def cancel(ledger: BankLedger, transaction: Transaction) -> None:
    """Let held money go."""
    if transaction.status != "AUTH":
        raise RefusedError(100, f"cancel is not possible from status {transaction.status}")
    transaction.status = "CANCEL"
    _record(ledger, transaction)


def charge(ledger: BankLedger, transaction: Transaction) -> None:
    """Capture held money."""
    if transaction.status != "AUTH":
        raise RefusedError(100, f"charge is not possible from status {transaction.status}")
    transaction.status = "CHARGE"
    transaction.captured = transaction.amount
    _record(ledger, transaction)


def _record(ledger: BankLedger, transaction: Transaction) -> None:
    transaction.changed_at = now()
    ledger.record(transaction)
