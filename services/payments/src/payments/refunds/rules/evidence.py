"""Whether a refund was made, judged by check-status when our own call had no clear outcome.

Two things about the bank are unknown ([?] in docs/wire/epay.md): the status after a partial refund, and whether
`amount` then shows the rest. The rules below hold for every combination; where none fits, a person asks the bank.
"""

from enum import StrEnum

from payments.clients.models import StatusAnswer


class Evidence(StrEnum):
    """What the bank's status shows about one refund."""

    DONE = "done"
    #: It was certainly not made.
    NOT_DONE = "not_done"
    #: It may have been made, but a repetition cannot return more than was captured: the bank would refuse it.
    REPEATABLE = "repeatable"
    UNCLEAR = "unclear"


def evidence(answer: StatusAnswer, *, amount: int, captured: int, owed: int) -> Evidence:
    """Judge one refund of `amount`; `owed` is what was left of `captured` before it. All in minor units."""
    before = captured - owed
    gone = None if answer.amount is None else captured - answer.amount
    if gone == before + amount:
        return Evidence.DONE  # the bank shows the rest, and exactly this much is missing
    if answer.status == "REFUND":
        # Before the first refund the status cannot be REFUND; after another one it proves nothing.
        return Evidence.DONE if before == 0 and gone in (None, 0) else Evidence.UNCLEAR
    if answer.status != "CHARGE":
        return Evidence.UNCLEAR
    if before > 0 and gone == before:
        return Evidence.NOT_DONE  # this bank shows the rest, and only the earlier refunds are missing
    return Evidence.REPEATABLE if amount == owed else Evidence.UNCLEAR
