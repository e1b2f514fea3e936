"""The bank's books: transactions, what was captured and what went back. All amounts in minor units."""

from typing import Literal

from pydantic import Field

from sandbox.ledger import CamelModel, Journal, Ledger

Status = Literal["NEW", "3D", "AUTH", "CHARGE", "CANCEL", "REFUND", "FAILED", "REJECT"]
WebhookState = Literal["none", "pending", "delivered", "dropped", "failed"]


class Refund(CamelModel):
    """Money given back once."""

    amount: int
    external_id: str | None = Field(default=None, alias="externalID")
    at: str


class Webhook(CamelModel):
    """How the bank fared in telling the shop."""

    state: WebhookState = "none"
    attempts: int = 0
    delivered_at: str | None = None


class Transaction(CamelModel):
    """One payment attempt."""

    id: str
    invoice_id: str = Field(alias="invoiceID")
    amount: int
    currency: str
    terminal: str
    status: Status
    captured: int = 0
    refunded: int = 0
    refunds: list[Refund] = Field(default_factory=list)
    reason: str = "success"
    reason_code: int = 0
    approval_code: str = ""
    reference: str = ""
    card_mask: str = ""
    card_id: str = Field(default="", alias="cardID")
    secure: bool = True
    created_at: str
    changed_at: str
    description: str = ""
    language: str = ""
    account_id: str = Field(default="", alias="accountID")
    data: str = ""
    name: str = ""
    email: str = ""
    phone: str = ""
    secret_hash: str = ""
    post_link: str = ""
    failure_post_link: str = ""
    webhook: Webhook = Field(default_factory=Webhook)

    @property
    def remaining(self) -> int:
        """What could still be given back."""
        return self.captured - self.refunded


class BankLedger:
    """Transactions by id and by invoice."""

    def __init__(self, journal: Journal, *, unique_tail: bool) -> None:
        self.book: Ledger[Transaction] = Ledger(Transaction, journal)
        self._by_invoice: dict[str, Transaction] = {}
        self._tails: set[str] = set()
        self._unique_tail = unique_tail

    def load(self) -> None:
        """Read what earlier runs wrote."""
        self.book.load("id")
        for transaction in self.book:
            self._index(transaction)

    def taken(self, invoice_id: str) -> bool:
        """Whether an invoiceID, or its last six digits, has been used before."""
        return invoice_id in self._by_invoice or (self._unique_tail and invoice_id[-6:] in self._tails)

    def record(self, transaction: Transaction) -> None:
        """Write a transaction as it is now."""
        self.book.put(transaction.id, transaction)
        self._index(transaction)

    def by_invoice(self, invoice_id: str) -> Transaction | None:
        """The transaction of an invoice."""
        return self._by_invoice.get(invoice_id)

    def by_id(self, identity: str) -> Transaction | None:
        """The transaction of an id."""
        return self.book.get(identity)

    def clear(self) -> None:
        """Close the books and open new ones."""
        self.book.clear()
        self._by_invoice.clear()
        self._tails.clear()

    def _index(self, transaction: Transaction) -> None:
        self._by_invoice[transaction.invoice_id] = transaction
        self._tails.add(transaction.invoice_id[-6:])
