"""The bank's own page: what happens when the buyer presses "pay" (docs/wire/epay.md, hosted page)."""

import re
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sandbox.bank.ledger import Status, Transaction
from sandbox.bank.tokens import Grant
from sandbox.bank.wire import card_id
from sandbox.clock import now
from sandbox.money import to_minor

INVOICE_DIGITS = range(6, 16)
EXPIRY = re.compile("([0-9]{1,2})/([0-9]{2}|[0-9]{4})")
DESCRIPTION_BYTES = 125


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the issuer says to a card."""

    status: Status
    reason_code: int
    reason: str


NO_SUCH_CARD = Outcome("FAILED", 471, "The card number is wrong")
EXPIRED = Outcome("FAILED", 457, "The card has expired")
OUTCOMES = {
    "4405639800000001": Outcome("CHARGE", 0, "success"),
    "4405639800000002": Outcome("FAILED", 484, "Insufficient funds"),
    "4405639800000003": Outcome("FAILED", 499, "3-D Secure failed"),
    "4405639800000004": Outcome("NEW", 454, "Not final, ask again"),
    "4405639800000005": Outcome("AUTH", 0, "success"),
}


class RefusedError(Exception):
    """The page does not take this payment."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def validate(payment: dict[str, Any], grant: Grant) -> int:
    """Compare the payment object with what its token was minted for; the amount in minor units."""
    invoice_id = str(payment.get("invoiceId", ""))
    if not (invoice_id.isascii() and invoice_id.isdigit() and len(invoice_id) in INVOICE_DIGITS):
        raise RefusedError(100, "invoiceId must be 6 to 15 digits")
    amount = to_minor(payment.get("amount"))
    if not amount:
        raise RefusedError(100, "amount is not an amount of money")
    agreed = (
        ("invoiceId", invoice_id == grant.invoice_id),
        ("amount", amount == grant.amount),
        ("currency", payment.get("currency") == grant.currency),
        ("terminal", payment.get("terminal") == grant.terminal),
    )
    for name, agrees in agreed:
        if not agrees:
            raise RefusedError(100, f"{name} is not what the token was issued for")
    if len(_text(payment, "description").encode()) > DESCRIPTION_BYTES:
        raise RefusedError(100, f"description is longer than {DESCRIPTION_BYTES} bytes")
    return amount


def decide(card: dict[str, Any]) -> Outcome:
    """The issuer's answer to a card."""
    number = card_number(card)
    if _expired(str(card.get("exp", ""))):
        return EXPIRED
    return OUTCOMES.get(number, NO_SUCH_CARD)


def card_number(card: dict[str, Any]) -> str:
    """The digits of the card's number."""
    return "".join(sign for sign in str(card.get("number", "")) if sign.isdigit())


def open_transaction(
    payment: dict[str, Any], card: dict[str, Any], grant: Grant, amount: int, outcome: Outcome
) -> Transaction:
    """A new transaction with the issuer's answer applied."""
    identity = str(uuid.uuid4())
    number = card_number(card)
    at = now()
    transaction = Transaction(
        id=identity,
        invoice_id=grant.invoice_id,
        amount=amount,
        currency=grant.currency,
        terminal=grant.terminal,
        status="NEW",
        card_mask=f"{number[:6]}...{number[-4:]}",
        card_id=card_id(number),
        created_at=at,
        changed_at=at,
        description=_text(payment, "description"),
        language=_text(payment, "language"),
        account_id=_text(payment, "accountId"),
        data=_text(payment, "data"),
        name=_text(payment, "name") or str(card.get("name", "")),
        email=_text(payment, "email"),
        phone=_text(payment, "phone"),
        secret_hash=grant.secret_hash,
        post_link=_text(payment, "postLink") or grant.post_link,
        failure_post_link=_text(payment, "failurePostLink") or grant.failure_post_link,
    )
    settle(transaction, outcome)
    return transaction


def settle(transaction: Transaction, outcome: Outcome) -> None:
    """Apply an outcome to a transaction that had none yet."""
    transaction.status = outcome.status
    transaction.reason = outcome.reason
    transaction.reason_code = outcome.reason_code
    transaction.changed_at = now()
    transaction.captured = transaction.amount if outcome.status == "CHARGE" else 0
    if outcome.status in {"CHARGE", "AUTH"}:
        digits = str(uuid.UUID(transaction.id).int)
        transaction.approval_code = digits[:6]
        transaction.reference = digits[6:18]


def _text(payment: dict[str, Any], name: str) -> str:
    value = payment.get(name)
    return "" if value is None else str(value)


def _expired(exp: str) -> bool:
    written = EXPIRY.fullmatch(exp.replace(" ", ""))
    if written is None:
        return False
    today = datetime.now(UTC)
    return (2000 + int(written[2]) % 100, int(written[1])) < (today.year, today.month)
