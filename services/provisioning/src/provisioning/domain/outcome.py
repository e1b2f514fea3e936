"""How an order to an operator may end for the buyer, and how long to wait between two attempts."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from provisioning.domain.operator import Made, Refused, Statuses, in_words

#: A pause of zero would mean "choose one for me" to the work board.
_SHORTEST = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The deadline passed. `left_behind`: the operator may hold something of this order."""

    reason: str
    statuses: Statuses
    left_behind: bool


Outcome = Made | Refused | GaveUp


def pause(backoff: timedelta, now: datetime, deadline: datetime) -> timedelta | None:
    """How long to wait for the next attempt: never past the deadline, and None where that is over."""
    if now >= deadline:
        return None
    return max(_SHORTEST, min(backoff, deadline - now))


def gave_up(last: str, statuses: Statuses, *, left_behind: bool) -> GaveUp:
    """The sentence that refunds and agents read."""
    said = f"its last answer was {in_words(statuses)}" if statuses else f"the last attempt ended with: {last}"
    return GaveUp(f"The operator did not make the profile in time; {said}.", statuses, left_behind)
