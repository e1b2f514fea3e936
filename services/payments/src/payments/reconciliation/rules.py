"""Compares one invoice in our ledger with the bank's answer to check-status. No statement of Epay is documented.

The bank's status after a partial refund, and whether `amount` then shows the rest, are not known ([?] in
docs/wire/epay.md): every combination that is consistent with our ledger agrees.
"""

from datetime import UTC, date, datetime, time, timedelta

from payments.clients.models import Expected, StatusAnswer
from payments.reconciliation.models import Difference, Ours

_TAKEN = frozenset({"CHARGE", "REFUND"})
_HELD = "AUTH"


def span(day: date) -> tuple[datetime, datetime]:
    """When a day begins and when it ends, in UTC."""
    begin = datetime.combine(day, time(), UTC)
    return begin, begin + timedelta(days=1)


def differences(ours: Ours, answer: StatusAnswer, expected: Expected) -> tuple[Difference, ...]:
    """All differences between our ledger and the answer; `expected` is the payment that was requested."""
    taken = answer.result == "100" and answer.status in _TAKEN
    shown = answer.status or f"result {answer.result}"
    if not ours.captured:
        if taken:
            return (Difference("capture_unknown_to_us", "0", _text(answer.amount)),)
        if answer.result == "100" and answer.status == _HELD:
            return (Difference("held_at_the_bank", "0", _text(answer.amount)),)
        return ()
    if not taken:
        return (Difference("capture_unknown_to_the_bank", str(ours.captured), shown),)
    differing = []
    if answer.currency != expected.currency:
        differing.append(Difference("currency", expected.currency, answer.currency or "none"))
    if expected.terminal not in answer.terminals:
        differing.append(Difference("terminal", "ours", "another"))
    if money := _money(ours, answer):
        differing.append(money)
    elif ours.promised:
        differing.append(Difference("refund_undecided", str(ours.promised), shown))
    return tuple(differing)


def _money(ours: Ours, answer: StatusAnswer) -> Difference | None:
    """The difference in what was returned; None where one of the ways in which the bank may show it agrees."""
    if answer.amount is None:
        return Difference("amount", str(ours.captured), "none")
    missing = ours.captured - answer.amount
    for returned in {ours.returned, ours.returned + ours.promised}:
        if missing not in (0, returned):
            continue
        if returned == 0 and answer.status == "CHARGE":
            return None
        if returned == ours.captured and (answer.status == "REFUND" or missing):
            return None
        if 0 < returned < ours.captured:
            return None
    shown = str(missing) if missing or answer.status == "CHARGE" else answer.status
    what = "returned"
    if missing < 0:
        what, shown = "amount", str(answer.amount)
    elif ours.by_hand and (missing > ours.returned or answer.status == "REFUND"):
        what = "returned_twice"  # the bank returned what a person has paid as well
    expected = {"amount": ours.captured, "returned": ours.returned, "returned_twice": ours.returned + ours.by_hand}
    return Difference(what, str(expected[what]), shown)


def _text(amount: int | None) -> str:
    return "none" if amount is None else str(amount)
