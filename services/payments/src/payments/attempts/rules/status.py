"""What check-status says, and what it means for an attempt. Only this answer counts (docs/wire/epay.md)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from payments.attempts.rules.failure_reasons import NOT_FINAL
from shared.values.count import LARGEST_INT, count
from shared.values.money import to_minor
from shared.values.text import cleaned

#: A transaction's id stands in the paths of later calls: what may stand there is an id, nothing else is.
TRANSACTION = re.compile(r"[0-9A-Za-z-]{1,64}")
_LONGEST_WORD = 64


@dataclass(slots=True, frozen=True)
class Expected:
    """What we asked the bank to take: amount in minor units, terminal as its UUID in lower case."""

    invoice_id: int
    amount: int
    currency: str
    terminal: str


@dataclass(slots=True, frozen=True)
class StatusAnswer:
    """check-status, read tolerantly: what is absent or unreadable is None. Contact and card data are not kept."""

    result: str
    status: str = ""
    transaction_id: str | None = None
    #: None where the bank names none; "" where what it names cannot be read, which is not ours.
    invoice_id: str | None = None
    amount: int | None = None
    currency: str | None = None
    #: `terminal` may be the UUID or a number with the UUID in `terminalID`: both are kept.
    terminals: frozenset[str] = frozenset()
    reason_code: int = 0


class Verdict(StrEnum):
    """What is to be done about an attempt."""

    CAPTURED = "captured"
    HELD = "held"
    FAILED = "failed"
    PENDING = "pending"
    NOT_FOUND = "not_found"
    #: The money was taken and went back.
    RETURNED = "returned"
    #: The bank speaks of another payment than ours.
    MISMATCH = "mismatch"
    #: The bank does not let us ask (our terminal, our token), or had an error: nothing is known.
    REFUSED = "refused"
    #: An answer that our knowledge of Epay does not explain.
    UNCLEAR = "unclear"


_BY_STATUS = {
    "CHARGE": Verdict.CAPTURED,
    "AUTH": Verdict.HELD,
    "NEW": Verdict.PENDING,
    "3D": Verdict.PENDING,
    "FINGERPRINT": Verdict.PENDING,
    "CANCEL": Verdict.FAILED,
    "CANCEL_OLD": Verdict.FAILED,
    "FAILED": Verdict.FAILED,
    "REJECT": Verdict.FAILED,
    "REFUND": Verdict.RETURNED,
}
_BY_RESULT = {
    "102": Verdict.NOT_FOUND,
    "103": Verdict.REFUSED,
    "104": Verdict.REFUSED,
    "106": Verdict.REFUSED,
    "107": Verdict.PENDING,
    "109": Verdict.REFUSED,
}
#: resultCodes that say nothing about the payment: our terminal, our token, an error, or no code at all.
UNANSWERED = frozenset({"", *(result for result, verdict in _BY_RESULT.items() if verdict is Verdict.REFUSED)})
_MONEY = frozenset({Verdict.CAPTURED, Verdict.HELD})
_FOUND, _REJECTED = "100", "101"


def read_status(body: Mapping[str, Any]) -> StatusAnswer:
    """A check-status body as an answer; any JSON object will do."""
    found = body.get("transaction")
    transaction: Mapping[str, Any] = found if isinstance(found, Mapping) else {}
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
    )


def judge(answer: StatusAnswer, expected: Expected) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict, and for a mismatch the names of the fields that differ."""
    verdict = _verdict(answer)
    if verdict in _MONEY and (differing := differences(answer, expected)):
        return Verdict.MISMATCH, differing
    return verdict, ()


def differences(answer: StatusAnswer, expected: Expected) -> tuple[str, ...]:
    """The fields in which the bank's payment is not the one we asked for."""
    agrees = {
        "amount": answer.amount == expected.amount,
        "currency": answer.currency == expected.currency,
        "terminal": expected.terminal in answer.terminals,
        "invoiceID": answer.invoice_id in (None, str(expected.invoice_id)),
        "id": bool(answer.transaction_id),
    }
    return tuple(name for name, good in agrees.items() if not good)


def _verdict(answer: StatusAnswer) -> Verdict:
    if answer.result == _FOUND:
        verdict = _BY_STATUS.get(answer.status, Verdict.UNCLEAR)
    elif answer.result == _REJECTED:
        verdict = _BY_STATUS.get(answer.status, Verdict.UNCLEAR) if answer.status else Verdict.FAILED
        # "Rejected" beside a status that says otherwise is for a person to read.
        verdict = verdict if verdict in (Verdict.FAILED, Verdict.PENDING) else Verdict.UNCLEAR
    else:
        verdict = _BY_RESULT.get(answer.result, Verdict.UNCLEAR)
    if verdict is Verdict.FAILED and answer.reason_code == NOT_FINAL:
        return Verdict.PENDING
    return verdict


def _word(value: object) -> str:
    return cleaned(value, _LONGEST_WORD)
