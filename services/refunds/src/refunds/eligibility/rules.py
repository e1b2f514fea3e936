"""Today's answer before anybody asks: per likely reason, until when, and what would change it. Pure, from `decide`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from refunds.cases.rules.facts import as_unused, as_used
from refunds.policy import Decision, Facts
from refunds.policy.models.facts import Support

Deciding = Callable[[Facts], Decision]
#: What buyers ask for most, as they would say it.
LIKELY = ("changed_mind", "technical_failure", "not_delivered", "no_coverage", "incompatible_device")
_PERIOD = timedelta(seconds=1)


@dataclass(slots=True, frozen=True)
class Change:
    """Something that may come to be true, and the answer that it would bring."""

    condition: str
    decision: Decision


@dataclass(slots=True, frozen=True)
class Prospect:
    """Today's answer to a request for this reason, made complete, and its changes."""

    reason: str
    decision: Decision
    changes: tuple[Change, ...]


def prospects(facts: Callable[[str], Facts], decide: Deciding) -> list[Prospect]:
    """One per likely reason; `facts(reason)` are those of a complete request made now."""
    found = []
    for reason in LIKELY:
        asked = facts(reason)
        today = decide(asked)
        changes = tuple(change for change in _changes(asked, today, decide) if _differs(change.decision, today))
        found.append(Prospect(reason, today, changes))
    return found


def _changes(facts: Facts, today: Decision, decide: Deciding) -> Iterator[Change]:
    now = facts.decided_at
    for condition, changed in _cases(facts, now):
        yield Change(condition, decide(changed))
    until = today.deadlines.request_until
    if until is not None and until > now:
        late = until + _PERIOD
        yield Change("asked_after_deadline", decide(as_unused(_asked_at(facts, late))))


def _cases(facts: Facts, now: datetime) -> Iterator[tuple[str, Facts]]:
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


def _asked_at(facts: Facts, at: datetime) -> Facts:
    return facts.model_copy(update={"now": at, "request": facts.request.model_copy(update={"received_at": at})})


def _differs(one: Decision, other: Decision) -> bool:
    return one.verdict != other.verdict
