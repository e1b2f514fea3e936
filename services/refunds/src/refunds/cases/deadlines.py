"""Deadlines of a case: which one is next, waking up for it, and the alarm when it was missed."""

from datetime import UTC, datetime, timedelta

from refunds.cases.changes import SYSTEM, CaseChanges
from refunds.cases.models.case import Case, awaits_appeal
from refunds.cases.models.file import CaseFile
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
#: Calendar days to answer a written claim, where the policy sets no other time (PO 7.3).
_ANSWER_DAYS = 30
#: Deadlines of ours, by the state that they end; the first that is there is what the queue is ordered by.
_OURS = {
    "await_support": ("decide_by",),
    "await_observation": ("decide_by",),
    "await_restoration": ("restore_by", "decide_by"),
}


def watch(changes: CaseChanges, file: CaseFile, case: Case) -> None:
    """Set the next deadline, wake up for it, and raise the alarm when it was missed."""
    if case.closed_at is not None:
        return
    case.due_at, case.due_kind = _next_deadline(changes, file, case)
    for name, text in (case.deadlines or {}).items():
        if name != "credited_by":
            changes.wake(case, datetime.fromisoformat(text) + timedelta(seconds=1))
    if case.due_at is None or case.due_kind is None:
        return
    changes.wake(case, case.due_at + timedelta(seconds=1))
    mark = f"{case.due_kind} {case.due_at.astimezone(UTC).isoformat()}"
    if case.due_at <= changes.tx.now and mark not in (case.alarmed or ()):
        case.alarmed = [*(case.alarmed or ()), mark]
        storefront = file.order.row.storefront
        changes.metrics.missed.labels(storefront, case.due_kind).inc()
        log.error("deadline_missed", case_id=str(case.case_id), storefront=storefront, kind=case.due_kind)
        changes.audit.add("deadline_missed", case, by=SYSTEM, kind=case.due_kind, due_at=case.due_at.isoformat())


def answer_by(changes: CaseChanges, file: CaseFile, asked_at: datetime) -> datetime:
    """Where no clause sets another time, a request is answered like a written claim (PO 7.3)."""
    row = file.order.row
    policy = None if row.paid_at is None else changes.policies.policy(row.storefront, row.paid_at)
    by = None if policy is None else policy.after(policy.deadlines.answer_claim_by, asked_at)
    return by or changes.policies.calendar(row.storefront).after_calendar_days(asked_at, _ANSWER_DAYS)


def _next_deadline(changes: CaseChanges, file: CaseFile, case: Case) -> tuple[datetime | None, str | None]:
    """The next moment that we must not miss. Every open case has one, unless it waits for its buyer."""
    stored = {name: datetime.fromisoformat(text) for name, text in (case.deadlines or {}).items()}
    if awaits_appeal(case):
        return case.appeal_answer_by, "appeal"
    if case.refund_id is not None:
        # Where the policy promises no transfer, the money should at least have arrived when it says.
        return (case.pay_by, "pay_by") if case.pay_by is not None else (stored.get("credited_by"), "credited_by")
    since = case.revocation_asked_at or case.cancellation_accepted_at
    if since is not None:
        return since + changes.patience.of(file.order.row.storefront), "revocation"
    if case.verdict == "await_information":
        return None, None
    ours = [(stored[name], name) for name in _OURS.get(case.verdict or "", ()) if name in stored]
    if case.observing_since is not None:
        # Whoever has to act then sees it in the queue, and the alarm of missed deadlines rings.
        person = (case.observing_since + changes.patience.of(file.order.row.storefront), "observation")
        return min([person, *ours])
    return ours[0] if ours else (answer_by(changes, file, case.received_at or case.requested_at), "decide_by")
