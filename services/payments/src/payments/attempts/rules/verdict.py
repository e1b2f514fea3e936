"""What an answer of check-status means for an attempt. No other source decides about it (docs/wire/epay.md)."""

from enum import StrEnum

from payments.attempts.rules.failure_reasons import NOT_FINAL
from payments.clients.models import Expected, StatusAnswer


class Verdict(StrEnum):
    """What has to happen with an attempt."""

    CAPTURED = "captured"
    HELD = "held"
    FAILED = "failed"
    PENDING = "pending"
    NOT_FOUND = "not_found"
    #: The money was taken and returned.
    RETURNED = "returned"
    #: The answer describes another payment than ours.
    MISMATCH = "mismatch"
    #: The bank refused the question (our terminal or token) or had an error: nothing is certain.
    REFUSED = "refused"
    #: An answer that the documentation of Epay does not explain.
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
    "107": Verdict.PENDING,
}
_MONEY = frozenset({Verdict.CAPTURED, Verdict.HELD})
_FOUND, _REJECTED = "100", "101"


def judge(answer: StatusAnswer, expected: Expected) -> tuple[Verdict, tuple[str, ...]]:
    """The verdict, and for a mismatch the names of the fields that differ."""
    verdict = _verdict(answer)
    if verdict in _MONEY and (differing := differing_fields(answer, expected)):
        return Verdict.MISMATCH, differing
    return verdict, ()


def differing_fields(answer: StatusAnswer, expected: Expected) -> tuple[str, ...]:
    """The fields in which the bank's payment is not the one that we requested."""
    agrees = {
        "amount": answer.amount == expected.amount,
        "currency": answer.currency == expected.currency,
        "terminal": expected.terminal in answer.terminals,
        "invoiceID": answer.invoice_id in (None, str(expected.invoice_id)),
        "id": bool(answer.transaction_id),
        # After a restored database an invoice id may come again, and the bank still has the first payment under it.
        "data": None in (answer.order_number, expected.order_number) or answer.order_number == expected.order_number,
    }
    return tuple(name for name, same in agrees.items() if not same)


def _verdict(answer: StatusAnswer) -> Verdict:
    if answer.result == _FOUND:
        verdict = _BY_STATUS.get(answer.status, Verdict.UNCLEAR)
    elif answer.result == _REJECTED:
        verdict = _BY_STATUS.get(answer.status, Verdict.UNCLEAR) if answer.status else Verdict.FAILED
        # "Rejected" next to a status of success contradicts itself: a person has to read it.
        verdict = verdict if verdict in (Verdict.FAILED, Verdict.PENDING) else Verdict.UNCLEAR
    elif answer.result and answer.says_nothing:
        verdict = Verdict.REFUSED
    else:
        verdict = _BY_RESULT.get(answer.result, Verdict.UNCLEAR)
    if verdict is Verdict.FAILED and answer.reason_code == NOT_FINAL:
        return Verdict.PENDING
    return verdict
