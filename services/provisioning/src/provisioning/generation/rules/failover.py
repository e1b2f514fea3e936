"""How an order to an operator may end for the buyer, when to try the next operator, and how long to wait."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from provisioning.clients.models import Made, Refused, Statuses, in_words
from provisioning.operators.rules.routing import Offer
from shared.contracts import OperatorStatus

#: A pause of zero would mean "choose one for me" to the task worker.
_SHORTEST = timedelta(milliseconds=1)
#: waiting: surely nothing was made there, it may be asked again. refused: final. abandoned: perhaps something was
#: made there; nobody was told of it, it is being withdrawn, and that operator is not asked again for this order.
Left = Literal["waiting", "refused", "abandoned"]


@dataclass(frozen=True, slots=True)
class Tried:
    """An operator that an order was taken away from."""

    operator: str
    state: Left
    reason: str
    statuses: Statuses = ()

    def plain(self) -> dict[str, Any]:
        """As JSON, for a work row."""
        codes = [status.model_dump() for status in self.statuses]
        return {"operator": self.operator, "state": self.state, "reason": self.reason, "statuses": codes}

    @staticmethod
    def of(plain: Mapping[str, Any]) -> "Tried":
        """From a work row."""
        codes = tuple(OperatorStatus.model_validate(status) for status in plain["statuses"])
        return Tried(plain["operator"], plain["state"], plain["reason"], codes)


@dataclass(frozen=True, slots=True)
class MoveOn:
    """The next operator is asked; `left.state` tells what becomes of the one left. `asked`: it was called now."""

    to: Offer
    left: Tried
    asked: bool = True


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The deadline passed. `left_behind`: the operator may hold something of this order."""

    reason: str
    statuses: Statuses
    left_behind: bool


Outcome = Made | Refused | GaveUp | MoveOn


def next_offer(
    offers: Sequence[Offer], current: str, tried: Sequence[Tried], is_open: Callable[[str], bool]
) -> Offer | None:
    """The best operator that is left to ask: one that does not stand open (ill), and was not done with."""
    done = {one.operator for one in tried if one.state != "waiting"} | {current}
    return next((offer for offer in offers if offer.operator not in done and not is_open(offer.operator)), None)


def pause(backoff: timedelta, now: datetime, deadline: datetime) -> timedelta | None:
    """How long to wait for the next attempt: never past the deadline, and None where that is over."""
    if now >= deadline:
        return None
    return max(_SHORTEST, min(backoff, deadline - now))


def gave_up(last: str, statuses: Statuses, *, left_behind: bool) -> GaveUp:
    """The sentence that refunds and agents read."""
    said = f"its last answer was {in_words(statuses)}" if statuses else f"the last attempt ended with: {last}"
    return GaveUp(f"The operator did not make the profile in time; {said}.", statuses, left_behind)


def in_the_end(operator: str, result: Refused | GaveUp, tried: Sequence[Tried]) -> tuple[str, Statuses]:
    """One sentence and all codes, in the order in which the operators were asked."""
    earlier = [one for one in tried if one.operator != operator]
    if not earlier:
        return result.reason, result.statuses
    said = [(one.operator, one.reason, one.statuses) for one in earlier]
    said.append((operator, result.reason, result.statuses))
    parts = (f"{name}: {reason.rstrip('.')}{_codes(reason, statuses)}" for name, reason, statuses in said)
    return f"No operator made the profile; {'; '.join(parts)}.", tuple(code for _, _, codes in said for code in codes)


def _codes(reason: str, statuses: Statuses) -> str:
    words = in_words(statuses)
    return f" ({words})" if words and words not in reason else ""
