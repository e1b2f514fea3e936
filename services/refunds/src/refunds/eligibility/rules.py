"""Today's decision per likely reason, until when it holds, and what would change it. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from refunds.cases.rules.facts import as_unused, as_used
from refunds.policy import Decision, Facts, Support

Deciding = Callable[[Facts], Decision]
#: The most frequent reasons.
LIKELY = ("changed_mind", "technical_failure", "not_delivered", "no_coverage", "incompatible_device")
_A_SECOND = timedelta(seconds=1)


@dataclass(slots=True, frozen=True)
class Change:
    """Something that may become true, and the decision that follows from it."""

    condition: str
    decision: Decision


@dataclass(slots=True, frozen=True)
class Prospect:
    """Today's decision on a complete request for this reason, and what would change it."""

    reason: str
    decision: Decision
    changes: tuple[Change, ...]


def prospects(facts: Callable[[str], Facts], decide: Deciding) -> list[Prospect]:
    """One prospect per likely reason. `facts(reason)`: the facts of a complete request that is made now."""
    result = []
    for reason in LIKELY:
        current = facts(reason)
        today = decide(current)
        changes = (change for change in _changes(current, today, decide) if change.decision.verdict != today.verdict)
        result.append(Prospect(reason, today, tuple(changes)))
    return result


def _changes(facts: Facts, today: Decision, decide: Deciding) -> Iterator[Change]:
    now = facts.decided_at
    for condition, changed in _hypotheses(facts, now):
        yield Change(condition, decide(changed))
    until = today.deadlines.request_until
    if until is not None and until > now:
        late = until + _A_SECOND
        yield Change("asked_after_deadline", decide(as_unused(_received_at(facts, late))))


def _hypotheses(facts: Facts, now: datetime) -> Iterator[tuple[str, Facts]]:
    unused = as_unused(facts)
    yield "operator_confirms_unused", unused
    yield "installed", _profile(facts, install_state="installed", installed_at=now, observed_at=now)
    yield "activated", as_used(facts)
    for finding, name in (
        ("technical_failure", "support_confirms_failure"),
        ("no_failure", "support_finds_no_failure"),
    ):
        yield name, unused.model_copy(update={"support": Support(finding=finding, found_at=now)})
    if facts.delivered_at is None:
        yield (
            "delivered",
            unused.model_copy(update={"delivery": facts.delivery.model_copy(update={"delivered_at": now})}),
        )


def _profile(facts: Facts, **values: object) -> Facts:
    return facts.model_copy(update={"profile": facts.profile.model_copy(update=values)})


def _received_at(facts: Facts, at: datetime) -> Facts:
    return facts.model_copy(update={"now": at, "request": facts.request.model_copy(update={"received_at": at})})
