"""Reads the answers of check-status (docs/wire/epay.md)."""

import json
import re
from collections.abc import Mapping
from typing import Any

from payments.clients.models import StatusAnswer
from shared.values.count import LARGEST_INT, count
from shared.values.money import to_minor
from shared.values.text import cleaned

#: A transaction's id becomes part of the paths of later calls, so nothing but an id is accepted.
TRANSACTION = re.compile(r"[0-9A-Za-z-]{1,64}")
_LONGEST_WORD = 64


def read_status(body: Mapping[str, Any]) -> StatusAnswer:
    """Read a check-status body. Accepts any JSON object: what is absent or unreadable becomes None."""
    value = body.get("transaction")
    transaction: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
    terminals = (_word(transaction.get("terminal")), _word(transaction.get("terminalID")))
    transaction_id = _word(transaction.get("id"))
    invoice = transaction.get("invoiceID", transaction.get("invoiceId"))
    return StatusAnswer(
        result=_word(body.get("resultCode")),
        status=_word(transaction.get("statusName")).upper(),
        transaction_id=transaction_id if TRANSACTION.fullmatch(transaction_id) else None,
        invoice_id=None if invoice is None else _word(invoice),
        amount=to_minor(transaction.get("amount")),
        currency=_word(transaction.get("currency")) or None,
        terminals=frozenset(text.lower() for text in terminals if text),
        reason_code=count(transaction.get("reasonCode"), LARGEST_INT) or 0,
        order_number=_order_number(transaction.get("data")),
    )


def _order_number(data: object) -> str | None:
    """The order that `payment_object` put into `data`; None where it is not there, or not as we wrote it."""
    try:
        written = json.loads(data) if isinstance(data, str) else None
    except (ValueError, RecursionError):
        return None
    order = written.get("order") if isinstance(written, dict) else None
    return _word(order) if isinstance(order, str) else None


def _word(value: object) -> str:
    return cleaned(value, _LONGEST_WORD)
