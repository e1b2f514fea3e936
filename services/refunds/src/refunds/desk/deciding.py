"""One pass over the open cases of some orders: what the facts say now, and what follows from it.

A pass may run at any time and any number of times: it publishes what has not been published, records a decision only
where the answer changed, and leaves what is final alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from refunds.desk import events, revoking
from refunds.desk.figures import Figures
from refunds.desk.judging import Judge
from refunds.desk.records import Audit, File
from refunds.domain.cancellation import refused_revocation
from refunds.domain.cases import CANCELLATION, Case, WhyPerson, awaits_appeal, is_revoking
from refunds.domain.facts import as_unused, as_used, counts_from, facts_of
from refunds.domain.policy.decision import Decision
from refunds.domain.policy.facts import Facts
from refunds.domain.policy.model import LAW
from shared.contracts import Event
from shared.database import Tx
from shared.ids import uuid7, uuid_for
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
CASE_DUE = "case_due"
_ANSWER_DAYS = 30
#: The longer an operator does not know, the more seldom it is asked: after a quarter of the time waited, at most this.
_LONGEST_PAUSE = timedelta(hours=6)
#: Who decides where nobody does: the policy.
SYSTEM = "system"
#: Deadlines of ours, by the state that they end; the first that is there is what the queue is ordered by.
_OURS = {
    "await_support": ("decide_by",),
    "await_observation": ("decide_by",),
    "await_restoration": ("restore_by", "decide_by"),
}


@dataclass(slots=True, frozen=True)
class Patience:
    """How long an operator may take. `asking`: until it is asked again; `observation`: until a person has to act."""

    observation: timedelta
    asking: timedelta
    by_storefront: Mapping[str, timedelta] = field(default_factory=dict)

    def of(self, storefront: str) -> timedelta:
        """Until a person has to act, in this storefront."""
        return self.by_storefront.get(storefront, self.observation)


@dataclass(slots=True)
class Pass:
    """The pass; `changed` and `decided` are written by whoever runs it."""

    tx: Tx
    audit: Audit
    judge: Judge
    figures: Figures
    patience: Patience
    traces: Mapping[UUID, str | None]
    changed: list[Case] = field(default_factory=list)
    decided: list[dict[str, Any]] = field(default_factory=list)

    def consider(self, file: File, case: Case, *, person: bool = False, fresh: bool = False) -> None:
        """Bring a case up to date. `person`: somebody decides now; `fresh`: the case must be written in any case."""
        before = None if fresh else replace(case)
        if case.closed_at is None:
            if case.refund_id is not None:
                self._follow_money(file, case)
            elif person or not awaits_appeal(case):
                self._decide(file, case, person=person)
            self._watch(file, case)
        if case != before:
            self.changed.append(case)

    # --- deciding ---------------------------------------------------------------------------------------------------

    def _decide(self, file: File, case: Case, *, person: bool) -> None:
        if case.charge_id is None and file.approved_minor and file.left_minor <= 0:
            self._supersede(case)  # whatever it waits for: there is nothing left to return
            return
        if is_revoking(case) and not self._revoked(file, case):
            return
        self._end_restoration(case)
        self._answer(file, case, person=person)

    def _revoked(self, file: File, case: Case) -> bool:
        """Whether the case has to be decided again, because the operator does not take the profile back."""
        match revoking.outcome(file, case):
            case revoking.Outcome.WAITS:
                self._await_revocation(file, case)
                return False
            case revoking.Outcome.RELEASED:
                self._release(file, case, revoking.approval(file, case, self.judge, self.tx.now))
                return False
        self._revocation_refused(file, case)
        return True

    def _answer(self, file: File, case: Case, *, person: bool) -> None:
        facts = revoking.facts_after_refusal(file, case, self.judge.promised(facts_of(file.order, case, self.tx.now)))
        answer = self.judge.answer(facts, file.order.charge(case))
        if answer is None:
            if case.verdict is None and case.decided_by is None:
                case.decided_by = "nobody"
                log.warning("case_needs_person", case_id=str(case.case_id), storefront=file.order.row.storefront)
                self.audit.add("needs_person", case, by=SYSTEM)
            return
        if case.revocation_refused_at is not None and case.ground == CANCELLATION and answer.verdict == "deny":
            answer = refused_revocation(file.order, case)
        if answer.verdict == "approve" and not _affordable(file, case, answer):
            self._supersede(case)
            return
        self._take(file, case, answer, facts, person=person)
        self._observe(file, case, answer, facts)
        match answer.verdict:
            case "approve":
                self._approve(file, case, answer, facts)
            case "deny":
                self._publish(events.denied(file, case, answer, self.tx.now), case)
                self._close(case, "denied")
            case "await_information":
                self._ask_buyer(file, case, answer)

    def _end_restoration(self, case: Case) -> None:
        """The time for restoration is over: what was seen while it ran is not what is decided on."""
        text = (case.deadlines or {}).get("restore_by") if case.verdict == "await_restoration" else None
        if text is not None and (over := datetime.fromisoformat(text)) <= self.tx.now:
            case.observe_after = max(case.observe_after or over, over)

    # --- what the operator has to say ---------------------------------------------------------------------------------

    def _observe(self, file: File, case: Case, answer: Decision, facts: Facts) -> None:
        """Ask the operator as long as its report could change the verdict; a person acts when it takes too long."""
        row = file.order.row
        waits = answer.verdict == "await_observation"
        if not waits:
            case.observing_since = case.possible = None
            if answer.verdict != "approve" or case.person_why == WhyPerson.OBSERVATION_UNANSWERED:
                self._person(case, None, row.storefront)
            asked_at = case.observation_asked_at
            outdated = asked_at is None or asked_at < counts_from(facts, case)
            if case.charge_id is None and outdated and self.judge.awaits_observation(facts):
                self._ask_operator(file, case, facts)
            return
        case.observing_since = case.observing_since or self.tx.now
        case.possible = self.judge.possible(as_unused(facts), as_used(facts))
        self._ask_operator(file, case, facts)
        over = case.observing_since + self.patience.of(row.storefront)
        self._timer(case, over)
        self._person(case, WhyPerson.OBSERVATION_UNANSWERED if over <= self.tx.now else None, row.storefront)

    def _person(self, case: Case, why: WhyPerson | None, storefront: str) -> None:
        """A person has to act from now on, or no longer has to."""
        if case.person_why == why:
            return
        case.person_why, case.person_since = why, None if why is None else self.tx.now
        if why is not None:
            log.warning("case_needs_person", case_id=str(case.case_id), storefront=storefront, why=str(why))
            self.audit.add("needs_person", case, by=SYSTEM, why=str(why))

    def _await_revocation(self, file: File, case: Case) -> None:
        since = case.revocation_asked_at or case.cancellation_accepted_at or self.tx.now
        storefront = file.order.row.storefront
        over = since + self.patience.of(storefront) <= self.tx.now
        self._person(case, WhyPerson.REVOCATION_UNANSWERED if over else None, storefront)

    def _revocation_refused(self, file: File, case: Case) -> None:
        """It is too late: the case is decided again, on a report that is younger than that."""
        refused_at = file.revocation(case).refused_at or self.tx.now
        case.revocation_refused_at = refused_at
        case.observe_after = max(case.observe_after or refused_at, refused_at)
        case.revocation_asked_at = case.cancellation_accepted_at = case.approval = None
        self.audit.add("revocation_refused", case, by=SYSTEM)

    # --- what was decided -------------------------------------------------------------------------------------------

    def _take(self, file: File, case: Case, answer: Decision, facts: Facts, *, person: bool) -> None:
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
            case.completed_at = self.tx.now
        if same and not person:
            return
        by = self.audit.who if person else SYSTEM
        case.decided_at, case.decided_by = self.tx.now, by
        self.figures.verdicts.labels(file.order.row.storefront, answer.verdict).inc()
        decision_id = uuid7()
        self.decided.append(
            {
                "decision_id": decision_id,
                "case_id": case.case_id,
                "order_id": case.order_id,
                "decided_at": self.tx.now,
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
            self.figures.clauses.labels(answer.verdict, LAW if clause.startswith(LAW) else clause).inc()
        self.audit.add("decided", case, by=by, verdict=answer.verdict, clauses=clauses, decision_id=str(decision_id))

    def _approve(self, file: File, case: Case, answer: Decision, facts: Facts) -> None:
        """Revoke first where a code might still work (I13); the money follows the operator's yes."""
        if answer.refund is None:
            return
        if case.charge_id is not None or not file.order.has_profile or case.pay_unrevoked:
            self._release(file, case, answer)
        elif case.revocation_refused_at is None:
            self._revoke(file, case, answer)
        elif self.judge.outranks_refusals(facts):
            self._release(file, case, answer)
        else:
            self._person(case, WhyPerson.REVOCATION_REFUSED, file.order.row.storefront)

    def _revoke(self, file: File, case: Case, answer: Decision) -> None:
        """Keep the approved answer, and have the profile taken out of use."""
        case.approval = answer.model_dump(mode="json")
        case.revocation_asked_at = self.tx.now
        about = (file, case, answer.policy, answer.grounds, self.tx.now)
        if case.ground == CANCELLATION:
            case.cancellation_accepted_at = self.tx.now
            self._publish(events.cancellation_accepted(*about), case)
            self.audit.add("cancellation_accepted", case, by=SYSTEM)
        else:
            self._publish(events.revocation_requested(*about), case)
            self.audit.add("revocation_asked", case, by=SYSTEM)

    def _release(self, file: File, case: Case, answer: Decision) -> None:
        """The money goes back."""
        if answer.refund is None or not _affordable(file, case, answer):
            self._supersede(case)
            return
        row = file.order.row
        self._person(case, None, row.storefront)
        case.refund_id = refund_id(case)
        money = answer.refund.money
        case.amount_minor, case.currency = money.amount, money.currency
        case.pay_by = answer.deadlines.pay_by
        case.credited_by = self.judge.last_day(answer.deadlines.credited_by, row.storefront, row.paid_at)
        if case.charge_id is None:
            file.approved_minor += money.amount
        self._publish(events.approved(file, case, answer, self.tx.now), case)

    def _ask_buyer(self, file: File, case: Case, answer: Decision) -> None:
        if case.asked_for == list(answer.missing):
            return
        case.asked_for = list(answer.missing)
        self._publish(events.information_needed(file, case, answer, self.tx.now), case)
        self.audit.add("information_needed", case, by=SYSTEM, missing=case.asked_for)

    def _ask_operator(self, file: File, case: Case, facts: Facts) -> None:
        """Ask again when the last question is old enough, or too old to count; until then it may still be answered."""
        asked_at, now = case.observation_asked_at, self.tx.now
        again_at = now
        if asked_at is not None and asked_at >= counts_from(facts, case):
            waited = asked_at - (case.observing_since or asked_at)
            again_at = asked_at + max(self.patience.asking, min(waited / 4, _LONGEST_PAUSE))
        if again_at <= now:
            case.observation_asked_at = now
            again_at = now + self.patience.asking
            self._publish(events.requested(file, case), case)
            self.audit.add("observation_asked", case, by=SYSTEM)
        self._timer(case, again_at)

    # --- afterwards -------------------------------------------------------------------------------------------------

    def _follow_money(self, file: File, case: Case) -> None:
        outcome = file.outcome(case)
        if outcome.settled_at is not None:
            self.audit.add("settled", case, by=SYSTEM)
            self._close(case, "settled")
        elif outcome.failed_at is not None and "refund_failed" not in (case.alarmed or ()):
            case.alarmed = [*(case.alarmed or ()), "refund_failed"]
            self.audit.add("refund_failed", case, by=SYSTEM)

    def _supersede(self, case: Case) -> None:
        """The money has gone back, or goes back, by another case of this order."""
        self.audit.add("superseded", case, by=SYSTEM)
        self._close(case, "superseded")

    def _close(self, case: Case, how: str) -> None:
        case.closed_at, case.closed_as = self.tx.now, how
        case.due_at = case.due_kind = None

    def _watch(self, file: File, case: Case) -> None:
        """Set the next promise, wake up for it, and tell when it was broken."""
        if case.closed_at is not None:
            return
        case.due_at, case.due_kind = self._promise(file, case)
        for name, text in (case.deadlines or {}).items():
            if name != "credited_by":
                self._timer(case, datetime.fromisoformat(text) + timedelta(seconds=1))
        if case.due_at is None or case.due_kind is None:
            return
        self._timer(case, case.due_at + timedelta(seconds=1))
        mark = f"{case.due_kind} {case.due_at.astimezone(UTC).isoformat()}"
        if case.due_at <= self.tx.now and mark not in (case.alarmed or ()):
            case.alarmed = [*(case.alarmed or ()), mark]
            storefront = file.order.row.storefront
            self.figures.missed.labels(storefront, case.due_kind).inc()
            log.error("deadline_missed", case_id=str(case.case_id), storefront=storefront, kind=case.due_kind)
            self.audit.add("deadline_missed", case, by=SYSTEM, kind=case.due_kind, due_at=case.due_at.isoformat())

    def _promise(self, file: File, case: Case) -> tuple[datetime | None, str | None]:
        """The next moment that we must not miss. Every open case has one, unless it waits for its buyer."""
        told = {name: datetime.fromisoformat(text) for name, text in (case.deadlines or {}).items()}
        if awaits_appeal(case):
            return case.appeal_answer_by, "appeal"
        if case.refund_id is not None:
            # Where the policy promises no transfer, the money should at least have arrived when it says.
            return (case.pay_by, "pay_by") if case.pay_by is not None else (told.get("credited_by"), "credited_by")
        since = case.revocation_asked_at or case.cancellation_accepted_at
        if since is not None:
            return since + self.patience.of(file.order.row.storefront), "revocation"
        if case.verdict == "await_information":
            return None, None
        ours = [(told[name], name) for name in _OURS.get(case.verdict or "", ()) if name in told]
        if case.observing_since is not None:
            # Whoever has to act then sees it in the queue, and the alarm of missed deadlines rings.
            person = (case.observing_since + self.patience.of(file.order.row.storefront), "observation")
            return min([person, *ours])
        return ours[0] if ours else (self.answer_by(file, case.received_at or case.requested_at), "decide_by")

    def answer_by(self, file: File, asked_at: datetime) -> datetime:
        """Where no clause sets another time, whatever was asked is answered like a written claim (PO 7.3)."""
        row = file.order.row
        policy = None if row.paid_at is None else self.judge.policy(row.storefront, row.paid_at)
        by = None if policy is None else policy.after(policy.deadlines.answer_claim_by, asked_at)
        return by or self.judge.calendar(row.storefront).after_calendar_days(asked_at, _ANSWER_DAYS)

    def _timer(self, case: Case, at: datetime) -> None:
        if at > self.tx.now:
            key = f"{case.case_id}/{at.astimezone(UTC).isoformat()}"
            self.tx.schedule(CASE_DUE, key, {"order_id": str(case.order_id)}, due_at=at, trace=case.trace)

    def _publish(self, event: Event, case: Case) -> None:
        self.tx.publish(event, trace=self.traces.get(case.order_id) or case.trace)


def _affordable(file: File, case: Case, answer: Decision) -> bool:
    """Never more goes back than came in; a surplus capture is money of its own."""
    if answer.refund is None or case.charge_id is not None:
        return True
    return answer.refund.money.amount <= file.left_minor


def _moments(answer: Decision) -> dict[str, str]:
    return {name: at.isoformat() for name, at in answer.deadlines if at is not None}


def refund_id(case: Case) -> UUID:
    """The key of the case's money move: always the same, so that no replay can intend a second one."""
    rounds = () if case.round == 1 else (str(case.round),)
    return uuid_for("refund", str(case.order_id), case.ground, *rounds)
