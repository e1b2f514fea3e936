"""Asking the operator what became of the profile, as long as its report could change the verdict."""

from datetime import timedelta

from refunds.cases.changes import SYSTEM, CaseChanges
from refunds.cases.models.case import Case, WhyPerson
from refunds.cases.models.file import CaseFile
from refunds.cases.rules import events
from refunds.cases.rules.facts import as_unused, as_used, counts_from
from refunds.policy.models.decision import Decision
from refunds.policy.models.facts import Facts

#: The longer an operator does not know, the more seldom it is asked: after a quarter of the time waited, at most this.
_LONGEST_PAUSE = timedelta(hours=6)


def observe(changes: CaseChanges, file: CaseFile, case: Case, answer: Decision, facts: Facts) -> None:
    """Ask the operator as long as its report could change the verdict; a person acts when it takes too long."""
    row = file.order.row
    waits = answer.verdict == "await_observation"
    if not waits:
        case.observing_since = case.possible = None
        if answer.verdict != "approve" or case.person_why == WhyPerson.OBSERVATION_UNANSWERED:
            changes.set_person(case, None, row.storefront)
        asked_at = case.observation_asked_at
        outdated = asked_at is None or asked_at < counts_from(facts, case)
        if case.charge_id is None and outdated and changes.policies.awaits_observation(facts):
            _ask_operator(changes, file, case, facts)
        return
    case.observing_since = case.observing_since or changes.tx.now
    case.possible = changes.policies.possible(as_unused(facts), as_used(facts))
    _ask_operator(changes, file, case, facts)
    over = case.observing_since + changes.patience.of(row.storefront)
    changes.wake(case, over)
    changes.set_person(case, WhyPerson.OBSERVATION_UNANSWERED if over <= changes.tx.now else None, row.storefront)


def _ask_operator(changes: CaseChanges, file: CaseFile, case: Case, facts: Facts) -> None:
    """Ask again when the last question is old enough, or too old to count; until then it may still be answered."""
    asked_at, now = case.observation_asked_at, changes.tx.now
    again_at = now
    if asked_at is not None and asked_at >= counts_from(facts, case):
        waited = asked_at - (case.observing_since or asked_at)
        again_at = asked_at + max(changes.patience.asking, min(waited / 4, _LONGEST_PAUSE))
    if again_at <= now:
        case.observation_asked_at = now
        again_at = now + changes.patience.asking
        changes.publish(events.requested(file, case), case)
        changes.audit.add("observation_asked", case, by=SYSTEM)
    changes.wake(case, again_at)
