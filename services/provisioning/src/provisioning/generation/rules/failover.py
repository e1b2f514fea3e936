"""Decides which operator is tried next, how long an attempt waits, and with which sentence an order fails."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from provisioning.clients.models import OperatorRefused, Statuses, in_words
from provisioning.generation.models import Attempt
from provisioning.operators.rules.routing import Offer

#: `code` of the refusal of an order whose deadline is over.
DEADLINE = "deadline"
#: A pause of zero would mean "choose one for me" to the task worker.
_SHORTEST = timedelta(milliseconds=1)


def next_offer(
    offers: Sequence[Offer], current: str, tried: Sequence[Attempt], is_open: Callable[[str], bool]
) -> Offer | None:
    """The best operator that is left to try: its circuit breaker is not open, and it may be tried again."""
    excluded = {attempt.operator for attempt in tried if attempt.state != "waiting"} | {current}
    return next((offer for offer in offers if offer.operator not in excluded and not is_open(offer.operator)), None)


def pause(backoff: timedelta, now: datetime, deadline: datetime) -> timedelta | None:
    """How long to wait for the next attempt: never past the deadline, and None where the deadline is over."""
    if now >= deadline:
        return None
    return max(_SHORTEST, min(backoff, deadline - now))


def gave_up(last_reason: str, statuses: Statuses, *, left_behind: bool) -> OperatorRefused:
    """The failure of an order whose deadline is over, with the sentence that refunds and agents read."""
    answer = f"its last answer was {in_words(statuses)}" if statuses else f"the last attempt ended with: {last_reason}"
    reason = f"The operator did not make the profile in time; {answer}."
    return OperatorRefused(DEADLINE, reason, statuses, left_behind=left_behind)


def in_the_end(operator: str, refusal: OperatorRefused, tried: Sequence[Attempt]) -> tuple[str, Statuses]:
    """One sentence and all status codes, in the order in which the operators were tried."""
    earlier = [attempt for attempt in tried if attempt.operator != operator]
    if not earlier:
        return refusal.reason, refusal.statuses
    answers = [(attempt.operator, attempt.reason, attempt.statuses) for attempt in earlier]
    answers.append((operator, refusal.reason, refusal.statuses))
    parts = (f"{name}: {reason.rstrip('.')}{_codes(reason, statuses)}" for name, reason, statuses in answers)
    return f"No operator made the profile; {'; '.join(parts)}.", tuple(
        code for _, _, codes in answers for code in codes
    )


def _codes(reason: str, statuses: Statuses) -> str:
    words = in_words(statuses)
    return f" ({words})" if words and words not in reason else ""
