"""A case's state, derived from the facts that are there."""

from datetime import datetime
from enum import StrEnum

#: The ground of a case that the system opens when no profile can be made; also RefundRequested's reason.
GENERATION_FAILED = "generation_failed"


class CaseState(StrEnum):
    """Where a case stands. NEEDS_PERSON: undecided, or the bank would not return the money."""

    NEEDS_PERSON = "needs_person"
    PAYING = "paying"
    SETTLED = "settled"


def case_state(verdict: str | None, settled_at: datetime | None, failed_at: datetime | None) -> CaseState:
    """Money that has gone back settles a case, even where an earlier try had failed."""
    if settled_at is not None:
        return CaseState.SETTLED
    if verdict is None or failed_at is not None:
        return CaseState.NEEDS_PERSON
    return CaseState.PAYING
