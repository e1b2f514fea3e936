"""Comparing one invoice in our ledger with the bank's answer (check-status; Epay has no statement in what we know).

The bank's status after a partial refund, and whether `amount` then shows the rest, are not known ([?] in
docs/wire/epay.md): every combination that is consistent with our figures agrees.
"""

from dataclasses import dataclass

from payments.attempts.rules.status import Expected, StatusAnswer

_TAKEN = frozenset({"CHARGE", "REFUND"})
_HELD = "AUTH"


@dataclass(slots=True, frozen=True)
class Ours:
    """One invoice by our ledger, minor units. `promised`: the bank may have been asked to return that much more.

    `by_hand`: what persons paid or are paying another way; the bank must not show that.
    """

    captured: int
    returned: int
    promised: int = 0
    by_hand: int = 0


@dataclass(slots=True, frozen=True)
class Difference:
    """A word for it, our figure, and the bank's."""

    what: str
    ours: str
    banks: str


def differences(ours: Ours, answer: StatusAnswer, expected: Expected) -> tuple[Difference, ...]:
    """Everything in which the two disagree; `expected` is the payment that was asked for."""
    taken = answer.result == "100" and answer.status in _TAKEN
    said = answer.status or f"result {answer.result}"
    if not ours.captured:
        if taken:
            return (Difference("capture_unknown_to_us", "0", _figure(answer.amount)),)
        if answer.result == "100" and answer.status == _HELD:
            return (Difference("held_at_the_bank", "0", _figure(answer.amount)),)
        return ()
    if not taken:
        return (Difference("capture_unknown_to_the_bank", str(ours.captured), said),)
    found = []
    if answer.currency != expected.currency:
        found.append(Difference("currency", expected.currency, answer.currency or "none"))
    if expected.terminal not in answer.terminals:
        found.append(Difference("terminal", "ours", "another"))
    if money := _money(ours, answer):
        found.append(money)
    elif ours.promised:
        found.append(Difference("refund_undecided", str(ours.promised), said))
    return tuple(found)


def _money(ours: Ours, answer: StatusAnswer) -> Difference | None:
    """The returned amount, in all ways in which the bank may show it; None where one of them agrees."""
    if answer.amount is None:
        return Difference("amount", str(ours.captured), "none")
    gone = ours.captured - answer.amount
    for returned in {ours.returned, ours.returned + ours.promised}:
        if gone not in (0, returned):
            continue
        if returned == 0 and answer.status == "CHARGE":
            return None
        if returned == ours.captured and (answer.status == "REFUND" or gone):
            return None
        if 0 < returned < ours.captured:
            return None
    shown = str(gone) if gone or answer.status == "CHARGE" else answer.status
    what = "returned"
    if gone < 0:
        what, shown = "amount", str(answer.amount)
    elif ours.by_hand and (gone > ours.returned or answer.status == "REFUND"):
        what = "returned_twice"  # the bank returned what a person has paid as well
    known = {"amount": ours.captured, "returned": ours.returned, "returned_twice": ours.returned + ours.by_hand}
    return Difference(what, str(known[what]), shown)


def _figure(amount: int | None) -> str:
    return "none" if amount is None else str(amount)
