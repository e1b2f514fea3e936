"""Deciding open cases: what the facts say now, and what follows from it.

A case may be considered at any time and any number of times: what has been published is not published again, a
decision is recorded only where the answer changed, and what is final stays as it is.
"""

from dataclasses import replace
from datetime import datetime

from refunds.cases import deadlines, money, observing
from refunds.cases.changes import SYSTEM, CaseChanges
from refunds.cases.models.case import CANCELLATION, Case, WhyPerson, awaits_appeal, is_revoking
from refunds.cases.models.file import CaseFile
from refunds.cases.rules import events
from refunds.cases.rules import revocation as revoking
from refunds.cases.rules.cancellation import refused_revocation
from refunds.cases.rules.facts import facts_of
from refunds.policy.models.decision import Decision
from refunds.policy.models.facts import Facts
from refunds.policy.models.policy import LAW
from shared.ids import uuid7
from shared.telemetry.logging import get_logger

log = get_logger(__name__)


def consider(changes: CaseChanges, file: CaseFile, case: Case, *, person: bool = False, fresh: bool = False) -> None:
    """Bring a case up to date. `person`: somebody decides now; `fresh`: the case must be written in any case."""
    before = None if fresh else replace(case)
    if case.closed_at is None:
        if case.refund_id is not None:
            money.follow(changes, file, case)
        elif person or not awaits_appeal(case):
            _decide(changes, file, case, person=person)
        deadlines.watch(changes, file, case)
    if case != before:
        changes.changed.append(case)


def _decide(changes: CaseChanges, file: CaseFile, case: Case, *, person: bool) -> None:
    if case.charge_id is None and file.approved_minor and file.left_minor <= 0:
        changes.supersede(case)  # whatever it waits for: there is nothing left to return
        return
    if is_revoking(case) and not _revoked(changes, file, case):
        return
    _end_restoration(changes, case)
    _answer(changes, file, case, person=person)


def _revoked(changes: CaseChanges, file: CaseFile, case: Case) -> bool:
    """Whether the case has to be decided again, because the operator does not take the profile back."""
    match revoking.outcome(file, case):
        case revoking.Outcome.WAITS:
            _await_revocation(changes, file, case)
            return False
        case revoking.Outcome.RELEASED:
            money.release(changes, file, case, revoking.approval(file, case, changes.policies, changes.tx.now))
            return False
    _revocation_refused(changes, file, case)
    return True


def _await_revocation(changes: CaseChanges, file: CaseFile, case: Case) -> None:
    since = case.revocation_asked_at or case.cancellation_accepted_at or changes.tx.now
    storefront = file.order.row.storefront
    over = since + changes.patience.of(storefront) <= changes.tx.now
    changes.set_person(case, WhyPerson.REVOCATION_UNANSWERED if over else None, storefront)


def _revocation_refused(changes: CaseChanges, file: CaseFile, case: Case) -> None:
    """It is too late: the case is decided again, on a report that is younger than that."""
    refused_at = file.revocation(case).refused_at or changes.tx.now
    case.revocation_refused_at = refused_at
    case.observe_after = max(case.observe_after or refused_at, refused_at)
    case.revocation_asked_at = case.cancellation_accepted_at = case.approval = None
    changes.audit.add("revocation_refused", case, by=SYSTEM)


def _end_restoration(changes: CaseChanges, case: Case) -> None:
    """The time for restoration is over: what was seen while it ran is not what is decided on."""
    text = (case.deadlines or {}).get("restore_by") if case.verdict == "await_restoration" else None
    if text is not None and (over := datetime.fromisoformat(text)) <= changes.tx.now:
        case.observe_after = max(case.observe_after or over, over)


def _answer(changes: CaseChanges, file: CaseFile, case: Case, *, person: bool) -> None:
    facts = revoking.facts_after_refusal(
        file, case, changes.policies.promised(facts_of(file.order, case, changes.tx.now))
    )
    answer = changes.policies.answer(facts, file.order.charge(case))
    if answer is None:
        if case.verdict is None and case.decided_by is None:
            case.decided_by = "nobody"
            log.warning("case_needs_person", case_id=str(case.case_id), storefront=file.order.row.storefront)
            changes.audit.add("needs_person", case, by=SYSTEM)
        return
    if case.revocation_refused_at is not None and case.ground == CANCELLATION and answer.verdict == "deny":
        answer = refused_revocation(file.order, case)
    if answer.verdict == "approve" and not money.affordable(file, case, answer):
        changes.supersede(case)
        return
    _take(changes, file, case, answer, facts, person=person)
    observing.observe(changes, file, case, answer, facts)
    match answer.verdict:
        case "approve":
            money.approve(changes, file, case, answer, facts)
        case "deny":
            changes.publish(events.denied(file, case, answer, changes.tx.now), case)
            changes.close(case, "denied")
        case "await_information":
            _ask_buyer(changes, file, case, answer)


def _take(changes: CaseChanges, file: CaseFile, case: Case, answer: Decision, facts: Facts, *, person: bool) -> None:
    grounds = [ground.model_dump() for ground in answer.grounds]
    same = (case.verdict, case.policy, case.missing or [], case.grounds) == (
        answer.verdict,
        answer.policy,
        list(answer.missing),
        grounds,
    )
    case.verdict, case.policy, case.grounds = answer.verdict, answer.policy, grounds
    case.explanation = answer.explanation.model_dump()
    case.missing, case.deadlines = list(answer.missing) or None, _moments(answer)
    if answer.verdict != "await_information" and case.completed_at is None:
        case.completed_at = changes.tx.now
    if same and not person:
        return
    by = changes.audit.who if person else SYSTEM
    case.decided_at, case.decided_by = changes.tx.now, by
    changes.metrics.verdicts.labels(file.order.row.storefront, answer.verdict).inc()
    decision_id = uuid7()
    changes.decided.append(
        {
            "decision_id": decision_id,
            "case_id": case.case_id,
            "order_id": case.order_id,
            "decided_at": changes.tx.now,
            "decided_by": by,
            "verdict": answer.verdict,
            "policy": answer.policy,
            "facts": facts.model_dump(mode="json"),
            "answer": answer.model_dump(mode="json"),
        }
    )
    clauses = [f"{ground.document} {ground.clause}" for ground in answer.grounds]
    for clause in clauses:
        # The law is an agent's own words: no label.
        changes.metrics.clauses.labels(answer.verdict, LAW if clause.startswith(LAW) else clause).inc()
    changes.audit.add("decided", case, by=by, verdict=answer.verdict, clauses=clauses, decision_id=str(decision_id))


def _ask_buyer(changes: CaseChanges, file: CaseFile, case: Case, answer: Decision) -> None:
    if case.asked_for == list(answer.missing):
        return
    case.asked_for = list(answer.missing)
    changes.publish(events.information_needed(file, case, answer, changes.tx.now), case)
    changes.audit.add("information_needed", case, by=SYSTEM, missing=case.asked_for)


def _moments(answer: Decision) -> dict[str, str]:
    return {name: at.isoformat() for name, at in answer.deadlines if at is not None}
