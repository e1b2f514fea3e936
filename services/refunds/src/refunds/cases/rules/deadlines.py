"""Which deadline of a case is next, and how near it is."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from refunds.cases.models.case import Case
from refunds.cases.models.file import CaseFile
from refunds.cases.models.patience import Patience
from refunds.cases.rules.state import awaits_appeal
from refunds.policy import Calendar, OrderPolicies

#: Calendar days to answer a written claim, where the policy sets no other time (PO 7.3).
ANSWER_DAYS = 30
_SOON = timedelta(hours=24)
_BUSINESS_DAYS = 2
#: Our own deadlines, by the verdict that they end. The first that is stored is the next one.
_OWN_DEADLINES = {
    "await_support": ("decide_by",),
    "await_observation": ("decide_by",),
    "await_restoration": ("restore_by", "decide_by"),
}


def answer_by(policies: OrderPolicies, storefront: str, paid_at: datetime | None, received_at: datetime) -> datetime:
    """By when a written claim is answered: the policy's own time, else 30 calendar days (PO 7.3, PP 7.3).

    Requests and appeals have the same deadline where no clause sets another.
    """
    policy = None if paid_at is None else policies.policy(storefront, paid_at)
    deadline = None if policy is None else policy.after(policy.deadlines.answer_claim_by, received_at)
    return deadline or policies.calendar(storefront).after_calendar_days(received_at, ANSWER_DAYS)


def stored_deadlines(case: Case) -> dict[str, datetime]:
    """The deadlines of the last decision, by name (UTC)."""
    return {name: datetime.fromisoformat(text) for name, text in (case.deadlines or {}).items()}


def next_deadline(
    file: CaseFile, case: Case, policies: OrderPolicies, patience: Patience
) -> tuple[datetime | None, str | None]:
    """The next moment that we must not miss, and its kind. Every open case has one, unless it waits for its buyer."""
    row = file.order.row
    stored = stored_deadlines(case)
    if awaits_appeal(case):
        return case.appeal_answer_by, "appeal"
    if case.refund_id is not None:
        # Where the policy promises no date for the transfer, the money should at least have arrived in time.
        return (case.pay_by, "pay_by") if case.pay_by is not None else (stored.get("credited_by"), "credited_by")
    revoking_since = case.revocation_asked_at or case.cancellation_accepted_at
    if revoking_since is not None:
        return revoking_since + patience.of(row.storefront), "revocation"
    if case.verdict == "await_information":
        return None, None
    return _next_of_decision(file, case, policies, patience)


def _next_of_decision(file: CaseFile, case: Case, policies: OrderPolicies, patience: Patience) -> tuple[datetime, str]:
    """The next deadline of a case that waits for support, for restoration or for the operator."""
    row, stored = file.order.row, stored_deadlines(case)
    own = [(stored[name], name) for name in _OWN_DEADLINES.get(case.verdict or "", ()) if name in stored]
    if case.observing_since is not None:
        # When the patience with the operator ends, a person must see the case in the queue and be alarmed.
        return min([(case.observing_since + patience.of(row.storefront), "observation"), *own])
    return own[0] if own else (promised_by(file, case, policies), "decide_by")


def promised_by(file: CaseFile, case: Case, policies: OrderPolicies) -> datetime:
    """When a complete request is decided at the latest: by the policy's time to decide, else that of any answer."""
    row = file.order.row
    received_at = case.received_at or case.requested_at
    return stored_deadlines(case).get("decide_by") or answer_by(policies, row.storefront, row.paid_at, received_at)


def windows(due_at: datetime, now: datetime, calendar: Calendar) -> tuple[str, ...]:
    """The windows of a deadline: `overdue`, or those of `24h` and `2_business_days` that it falls into."""
    if due_at <= now:
        return ("overdue",)
    ends: Mapping[str, datetime] = {
        "24h": now + _SOON,
        "2_business_days": calendar.after_business_days(now, _BUSINESS_DAYS),
    }
    return tuple(name for name, end in ends.items() if due_at <= end)
