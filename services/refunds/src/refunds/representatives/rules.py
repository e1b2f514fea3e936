"""Whether a representation can be confirmed, used or ended now."""

from datetime import datetime, timedelta
from typing import Any, Literal

#: A power can be taken back without our hearing of it, so a representation serves so long after it was confirmed.
OPEN_DAYS = 30
RepresentationState = Literal["waiting", "confirmed", "rejected", "ended", "over"]


def state_of(row: Any, now: datetime) -> RepresentationState:
    """`row`: of `representations`. `over`: confirmed longer ago than OPEN_DAYS."""
    if row.ended_at is not None:
        return "ended"
    if row.confirmed is None:
        return "waiting"
    if not row.confirmed:
        return "rejected"
    return "confirmed" if now < row.decided_at + timedelta(days=OPEN_DAYS) else "over"


def refuse_decision(row: Any, now: datetime, who: str) -> str | None:
    """Why this person cannot confirm or reject it; None where they can."""
    if state_of(row, now) != "waiting":
        return "This representation does not wait for a decision any more."
    if row.recorded_by == who:
        return "You have recorded this representation yourself. Another supervisor has to decide it."
    return None


def refuse_use(row: Any, now: datetime) -> str | None:
    """Why nothing can be done upon it; None where it serves."""
    return {
        "waiting": "A supervisor has to confirm this representation first.",
        "confirmed": None,
        "rejected": "This representation was rejected.",
        "ended": "This representation has ended.",
        "over": f"This representation was confirmed more than {OPEN_DAYS} days ago. Record it anew.",
    }[state_of(row, now)]
