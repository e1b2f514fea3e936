"""Reads the body of postLink (docs/wire/epay.md). Only the fields below are read; no others are kept."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from payments.clients.epay.status import TRANSACTION
from shared.values.count import LARGEST_INT, count

_INVOICE = re.compile(r"[0-9]{6,15}")
_LONGEST_CODE = 20


class UnreadableNoticeError(Exception):
    """A notification that cannot be assigned to an attempt. `field` is the field that is absent or wrong."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


@dataclass(slots=True, frozen=True)
class Notice:
    """A notification of the bank: the attempt, the transaction, and the outcome that it claims."""

    invoice_id: int
    transaction_id: str
    code: str
    reason_code: int | None
    secret_hash: str = field(repr=False)


def read_notice(body: Mapping[str, Any]) -> Notice:
    """Read a notification; numbers may be sent as text. Raises UnreadableNoticeError."""
    invoice = _text(body.get("invoiceId")) or _text(body.get("invoiceID"))
    if not _INVOICE.fullmatch(invoice):
        raise UnreadableNoticeError("invoiceId")
    transaction = _text(body.get("id"))
    if transaction and not TRANSACTION.fullmatch(transaction):
        raise UnreadableNoticeError("id")
    code = _text(body.get("code")).lower()
    if not code.isascii() or not code.isprintable() or len(code) > _LONGEST_CODE:
        raise UnreadableNoticeError("code")
    secret = body.get("secret_hash")
    if not isinstance(secret, str) or not secret.isascii():
        raise UnreadableNoticeError("secret_hash")
    return Notice(int(invoice), transaction, code, count(body.get("reasonCode"), LARGEST_INT), secret)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value.strip()
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""
