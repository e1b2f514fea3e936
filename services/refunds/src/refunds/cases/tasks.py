"""Decides open cases. From top to bottom this file is the way of a case from the request to the money.

1. Something changed (a fact, a request, a finding) or a deadline came: `decide_case`.
2. The policy decides on the facts that are stored now, and the decision is recorded: `_decide_by_policy`.
3. While a report of the operator could change the verdict, observations are requested: `_observe`.
4. An approval has the profile revoked first (I13), then releases the refund: `_approve`, `_release`.
5. Payments reports how the refund ended: `_follow_refund`.
6. The next deadline is stored, and the case is decided again when it comes: `_set_deadline`.

A case can be decided at any time and any number of times. An event that was published is not published again, a
decision is recorded only when it differs from the last one, and a final decision stays.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, timedelta
from uuid import UUID

from refunds.cases.models.case import CANCELLATION, Case, WhyPerson
from refunds.cases.models.file import CaseFile
from refunds.cases.models.payloads import CaseDuePayload
from refunds.cases.rules import events
from refunds.cases.rules.cancellation import refused_revocation
from refunds.cases.rules.deadlines import next_deadline, promised_by, stored_deadlines
from refunds.cases.rules.facts import as_unused, as_used, counts_from, facts_of
from refunds.cases.rules.identity import refund_id
from refunds.cases.rules.revocation import (
    RevocationResult,
    approved_decision,
    facts_after_refusal,
    revocation_result,
)
from refunds.cases.rules.shop_refunds import returns_a_part, within_what_is_left
from refunds.cases.rules.state import awaits_appeal, is_revoking
from refunds.cases.store.cases import load, lock, with_open_cases
from refunds.cases.store.changes import CASE_DUE, SYSTEM, CaseChanges, CaseContext, case_changes
from refunds.policy import LAW, Decision, Facts
from shared.contracts import Money
from shared.database import Tx
from shared.ids import uuid7
from shared.outcomes import Done
from shared.tasks import Task, TaskResult
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
#: The pause between two questions to an operator grows to a quarter of the time waited so far, and to this at most.
_LONGEST_PAUSE = timedelta(hours=6)
_A_SECOND = timedelta(seconds=1)
#: The mark in `alarmed` that RequestRegistered was published.
_REGISTERED = "registered"


class CaseDue:
    """The task of a deadline: decides the open cases of an order again. It calls no other system."""

    kind = CASE_DUE
    concurrency = 4
    payload = CaseDuePayload

    def __init__(self, context: CaseContext) -> None:
        self._context = context

    async def perform(self, task: Task[CaseDuePayload]) -> Done[UUID]:
        """Return the order; everything else happens in the transaction of `record`."""
        return Done(task.payload.order_id)

    async def record(self, tx: Tx, results: Sequence[TaskResult[UUID, CaseDuePayload]]) -> None:
        """Decide the open cases of these orders."""
        traces = {result.result: result.task.continues for result in results}
        await decide_open_cases(tx, self._context, traces, traces)


async def decide_open_cases(
    tx: Tx, context: CaseContext, orders: Collection[UUID], traces: Mapping[UUID, str | None]
) -> None:
    """Decide the open cases of these orders. It costs one statement where there are none."""
    waiting = await with_open_cases(tx, orders)
    if not waiting:
        return
    async with case_changes(tx, context, SYSTEM, traces) as changes:
        await lock(tx, waiting)
        for _, file in sorted((await load(tx, waiting)).items()):
            for case in file.cases:
                decide_case(changes, file, case)


# --- 1. Is there something to decide? ------------------------------------------------------------------------------


def decide_case(
    changes: CaseChanges, file: CaseFile, case: Case, *, person: bool = False, changed: bool = False
) -> None:
    """Bring a case up to date. `person`: an agent decides now. `changed`: the caller has already changed the case."""
    before = None if changed else replace(case)
    if case.closed_at is None:
        if case.refund_id is not None:
            _follow_refund(changes, file, case)
        elif person or not awaits_appeal(case):
            _decide(changes, file, case, person=person)
        _set_deadline(changes, file, case)
    if case != before:
        changes.changed.append(case)


def _decide(changes: CaseChanges, file: CaseFile, case: Case, *, person: bool) -> None:
    if case.charge_id is None and file.approved_minor and file.left_minor <= 0:
        changes.supersede(case)  # nothing is left to return
        return
    if is_revoking(case):
        match revocation_result(file, case):
            case RevocationResult.WAITS:
                _wait_for_revocation(changes, file, case)
                return
            case RevocationResult.RELEASED:
                decision = approved_decision(file, case, changes.policies, changes.tx.now)
                _release(changes, file, case, decision)
                return
            case RevocationResult.REFUSED:
                _withdraw_approval(changes, file, case)
    _require_report_after_restoration(changes, case)
    _decide_by_policy(changes, file, case, person=person)


def _wait_for_revocation(changes: CaseChanges, file: CaseFile, case: Case) -> None:
    """A person has to act when provisioning has not answered within the patience."""
    storefront = file.order.row.storefront
    since = case.revocation_asked_at or case.cancellation_accepted_at or changes.tx.now
    over = since + changes.patience.of(storefront) <= changes.tx.now
    changes.set_person(case, WhyPerson.REVOCATION_UNANSWERED if over else None, storefront)


def _withdraw_approval(changes: CaseChanges, file: CaseFile, case: Case) -> None:
    """The operator refused to revoke the profile: decide again, on a report that is younger than the refusal."""
    refused_at = file.revocation(case).refused_at or changes.tx.now
    case.revocation_refused_at = refused_at
    case.observe_after = max(case.observe_after or refused_at, refused_at)
    case.revocation_asked_at = case.cancellation_accepted_at = case.approval = None
    changes.audit.add("revocation_refused", case, by=SYSTEM)


def _require_report_after_restoration(changes: CaseChanges, case: Case) -> None:
    """Reports from before the end of the time for restoration do not count once that time is over."""
    end = stored_deadlines(case).get("restore_by") if case.verdict == "await_restoration" else None
    if end is not None and end <= changes.tx.now:
        case.observe_after = max(case.observe_after or end, end)


# --- 2. What does the policy decide? -------------------------------------------------------------------------------


def _decide_by_policy(changes: CaseChanges, file: CaseFile, case: Case, *, person: bool) -> None:
    facts = changes.policies.with_delivery_limit(facts_of(file.order, case, changes.tx.now))
    facts = facts_after_refusal(file, case, facts)
    decision = _decision_of_shop(changes, file, case) or changes.policies.decide(facts, file.order.charge(case))
    if decision is None:
        _note_missing_policy(changes, file, case)
        return
    if case.revocation_refused_at is not None and case.ground == CANCELLATION and decision.verdict == "deny":
        decision = refused_revocation(file.order, case)
    if decision.verdict == "approve":
        affordable = within_what_is_left(file, case, decision)
        if affordable is None:
            changes.supersede(case)
            return
        decision = affordable
    _record(changes, file, case, decision, facts, person=person)
    if case.shop_amount_minor is None:
        _observe(changes, file, case, decision, facts)
    match decision.verdict:
        case "approve":
            _approve(changes, file, case, decision, facts)
        case "deny":
            changes.publish(events.denied(file, case, decision, changes.tx.now), case)
            changes.close(case, "denied")
        case "await_information":
            _ask_buyer(changes, file, case, decision)
        case "await_support" | "await_restoration" | "await_observation" as waiting:
            _register(changes, file, case, decision, waiting.removeprefix("await_"))


def _decision_of_shop(changes: CaseChanges, file: CaseFile, case: Case) -> Decision | None:
    """The shop's own decision; None for a case of the policy."""
    row = file.order.row
    if case.shop_amount_minor is None:
        return None
    money = Money(amount=case.shop_amount_minor, currency=row.currency)
    return changes.policies.decision_of_shop(row.storefront, row.paid_at, money, row.order_number, changes.tx.now)


def _note_missing_policy(changes: CaseChanges, file: CaseFile, case: Case) -> None:
    if case.verdict is None and case.decided_by is None:
        case.decided_by = "nobody"
        log.warning("case_needs_person", case_id=str(case.case_id), storefront=file.order.row.storefront)
        changes.audit.add("needs_person", case, by=SYSTEM)


def _record(
    changes: CaseChanges, file: CaseFile, case: Case, decision: Decision, facts: Facts, *, person: bool
) -> None:
    """Store the decision in the case; add a row of `decisions` where it is new, or where a person decided."""
    grounds = [ground.model_dump() for ground in decision.grounds]
    before = (case.verdict, case.policy, case.missing or [], case.grounds)
    same = before == (decision.verdict, decision.policy, list(decision.missing), grounds)
    case.verdict, case.policy, case.grounds = decision.verdict, decision.policy, grounds
    case.explanation = decision.explanation.model_dump()
    case.missing = list(decision.missing) or None
    case.deadlines = {name: at.isoformat() for name, at in decision.deadlines if at is not None}
    if decision.verdict != "await_information" and case.completed_at is None:
        case.completed_at = changes.tx.now
    if same and not person:
        return
    by = changes.audit.who if person else SYSTEM
    case.decided_at, case.decided_by = changes.tx.now, by
    decision_id = uuid7()
    changes.decided.append(
        {
            "decision_id": decision_id,
            "case_id": case.case_id,
            "order_id": case.order_id,
            "decided_at": changes.tx.now,
            "decided_by": by,
            "verdict": decision.verdict,
            "policy": decision.policy,
            "facts": facts.model_dump(mode="json"),
            "answer": decision.model_dump(mode="json"),
        }
    )
    clauses = list(decision.clauses)
    changes.audit.add("decided", case, by=by, verdict=decision.verdict, clauses=clauses, decision_id=str(decision_id))
    changes.metrics.verdicts.labels(file.order.row.storefront, decision.verdict).inc()
    for clause in clauses:
        # An agent writes the name of the law: it must not become a label.
        changes.metrics.clauses.labels(decision.verdict, LAW if clause.startswith(LAW) else clause).inc()


def _ask_buyer(changes: CaseChanges, file: CaseFile, case: Case, decision: Decision) -> None:
    """Ask the buyer for what is missing, unless the same was asked before."""
    if case.asked_for == list(decision.missing):
        return
    case.asked_for = list(decision.missing)
    changes.publish(events.information_needed(file, case, decision, changes.tx.now), case)
    changes.audit.add("information_needed", case, by=SYSTEM, missing=case.asked_for)


def _register(changes: CaseChanges, file: CaseFile, case: Case, decision: Decision, waits_for: str) -> None:
    """Publish once that a person's request is complete and waits for us, with the day of the answer."""
    if case.origin == SYSTEM or case.shop_request is not None or _REGISTERED in (case.alarmed or ()):
        return
    case.alarmed = [*(case.alarmed or ()), _REGISTERED]
    answer_by = promised_by(file, case, changes.policies)
    changes.publish(events.registered(file, case, decision, waits_for, answer_by), case)


# --- 3. Is a report of the operator needed? ------------------------------------------------------------------------


def _observe(changes: CaseChanges, file: CaseFile, case: Case, decision: Decision, facts: Facts) -> None:
    """Request observations while a report could change the verdict. A person has to act when that takes too long."""
    storefront = file.order.row.storefront
    if decision.verdict != "await_observation":
        case.observing_since = case.possible = None
        if decision.verdict != "approve" or case.person_why == WhyPerson.OBSERVATION_UNANSWERED:
            changes.set_person(case, None, storefront)
        asked_at = case.observation_asked_at
        outdated = asked_at is None or asked_at < counts_from(facts, case)
        if case.charge_id is None and outdated and changes.policies.awaits_observation(facts):
            _request_observation(changes, file, case, facts)
        return
    case.observing_since = case.observing_since or changes.tx.now
    case.possible = changes.policies.possible_decisions(as_unused(facts), as_used(facts))
    _request_observation(changes, file, case, facts)
    over = case.observing_since + changes.patience.of(storefront)
    changes.decide_again_at(case, over)
    changes.set_person(case, WhyPerson.OBSERVATION_UNANSWERED if over <= changes.tx.now else None, storefront)


def _request_observation(changes: CaseChanges, file: CaseFile, case: Case, facts: Facts) -> None:
    """Request a new observation when the pause after the last request is over, or when that request is outdated."""
    asked_at, now = case.observation_asked_at, changes.tx.now
    due = now
    if asked_at is not None and asked_at >= counts_from(facts, case):
        waited = asked_at - (case.observing_since or asked_at)
        due = asked_at + max(changes.patience.retry, min(waited / 4, _LONGEST_PAUSE))
    if due <= now:
        case.observation_asked_at = now
        due = now + changes.patience.retry
        changes.publish(events.requested(file, case), case)
        changes.audit.add("observation_asked", case, by=SYSTEM)
    changes.decide_again_at(case, due)


# --- 4. Approved: revoke the profile, then release the refund ------------------------------------------------------


def _approve(changes: CaseChanges, file: CaseFile, case: Case, decision: Decision, facts: Facts) -> None:
    """Release the refund at once where no code can still work; otherwise have the profile revoked first (I13)."""
    if decision.refund is None:
        return
    without_code = case.charge_id is not None or not file.order.has_profile
    if without_code or case.pay_unrevoked or returns_a_part(file, case, decision.refund.money):
        _release(changes, file, case, decision)
    elif case.revocation_refused_at is None:
        _revoke(changes, file, case, decision)
    elif changes.policies.outranks_refusals(facts):
        _release(changes, file, case, decision)
    else:
        changes.set_person(case, WhyPerson.REVOCATION_REFUSED, file.order.row.storefront)


def _revoke(changes: CaseChanges, file: CaseFile, case: Case, decision: Decision) -> None:
    """Store the approved decision, and request the revocation of the profile."""
    case.approval = decision.model_dump(mode="json")
    case.revocation_asked_at = changes.tx.now
    about = (file, case, decision.policy, decision.grounds, changes.tx.now)
    if case.ground == CANCELLATION:
        case.cancellation_accepted_at = changes.tx.now
        changes.publish(events.cancellation_accepted(*about), case)
        changes.audit.add("cancellation_accepted", case, by=SYSTEM)
    else:
        changes.publish(events.revocation_requested(*about), case)
        changes.audit.add("revocation_asked", case, by=SYSTEM)


def _release(changes: CaseChanges, file: CaseFile, case: Case, decision: Decision) -> None:
    """Publish the approved refund to payments. Supersede the case where not enough is left to return."""
    affordable = within_what_is_left(file, case, decision)
    if affordable is None or affordable.refund is None:
        changes.supersede(case)
        return
    row, money = file.order.row, affordable.refund.money
    changes.set_person(case, None, row.storefront)
    case.refund_id = refund_id(case.order_id, case.ground, case.round)
    case.amount_minor, case.currency = money.amount, money.currency
    case.pay_by = affordable.deadlines.pay_by
    case.credited_by = changes.policies.last_day(affordable.deadlines.credited_by, row.storefront, row.paid_at)
    if case.charge_id is None:
        file.approved_minor += money.amount
    changes.publish(events.approved(file, case, affordable, changes.tx.now), case)


# --- 5. How did the refund end? ------------------------------------------------------------------------------------


def _follow_refund(changes: CaseChanges, file: CaseFile, case: Case) -> None:
    """Close the case when its refund is settled. Note once that the bank refused it."""
    refund = file.refund(case)
    if refund.settled_at is not None:
        changes.audit.add("settled", case, by=SYSTEM)
        changes.close(case, "settled")
    elif refund.failed_at is not None and "refund_failed" not in (case.alarmed or ()):
        case.alarmed = [*(case.alarmed or ()), "refund_failed"]
        changes.audit.add("refund_failed", case, by=SYSTEM)


# --- 6. When is the case decided again? ----------------------------------------------------------------------------


def _set_deadline(changes: CaseChanges, file: CaseFile, case: Case) -> None:
    """Store the next deadline, schedule a decision after each, and report one that was missed."""
    if case.closed_at is not None:
        return
    case.due_at, case.due_kind = next_deadline(file, case, changes.policies, changes.patience)
    for name, at in stored_deadlines(case).items():
        if name != "credited_by":
            changes.decide_again_at(case, at + _A_SECOND)
    if case.due_at is None or case.due_kind is None:
        return
    changes.decide_again_at(case, case.due_at + _A_SECOND)
    mark = f"{case.due_kind} {case.due_at.astimezone(UTC).isoformat()}"
    if case.due_at <= changes.tx.now and mark not in (case.alarmed or ()):
        case.alarmed = [*(case.alarmed or ()), mark]
        storefront = file.order.row.storefront
        changes.metrics.missed.labels(storefront, case.due_kind).inc()
        log.error("deadline_missed", case_id=str(case.case_id), storefront=storefront, kind=case.due_kind)
        changes.audit.add("deadline_missed", case, by=SYSTEM, kind=case.due_kind, due_at=case.due_at.isoformat())
