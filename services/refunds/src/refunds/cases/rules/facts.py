"""What a decision rests on: the rows of an order and a request, put into the policy engine's own words."""

from datetime import datetime
from typing import Any

from refunds.cases.models.case import DOUBLE_CHARGE, FIELDS, GENERATION_FAILED, NOT_DELIVERED, Case
from refunds.cases.models.file import Order
from refunds.policy import Delivery, Facts, Price, Profile

#: What the system's own cases ask for, in a buyer's words.
_SYSTEM_REASONS = {GENERATION_FAILED: "technical_failure", NOT_DELIVERED: "not_delivered"}


def reason_of(case: Case) -> str:
    """The case's reason as policies know it."""
    if case.reason is not None:
        return case.reason
    return DOUBLE_CHARGE if case.charge_id is not None else _SYSTEM_REASONS.get(case.ground, "other")


def facts_of(order: Order, case: Case, now: datetime) -> Facts:
    """The input of `decide` for a case.

    The system asks itself for no documents: it knows the order.
    """
    request = {
        "received_at": _asked(case),
        "reason": reason_of(case),
        "provided": list(FIELDS if case.origin == "system" else case.provided or ()),
        # Where something was missing, the time to review begins when the last of it has come (RF 5.1).
        "completed_at": case.completed_at or (now if case.asked_for else None),
    }
    facts = _facts(order, now, request, _support(case), case)
    if case.ground != GENERATION_FAILED:
        return facts
    # The failure is final by contract, whatever else is told of a profile: no order of telling changes the answer.
    return facts.model_copy(update={"profile": Profile(failed_at=order.row.failed_at), "delivery": Delivery()})


def hypothetical(order: Order, reason: str, now: datetime) -> Facts:
    """As if the buyer asked now, with everything that is required."""
    return _facts(order, now, {"received_at": now, "reason": reason, "provided": list(FIELDS)}, {}, None)


def as_unused(facts: Facts) -> Facts:
    """The same facts, had the operator reported just now that nothing more is used than is known."""
    profile = facts.profile
    state = "released" if profile.install_state == "unknown" else profile.install_state
    unused = _as_reported(facts, install_state=state, used_bytes=profile.used_bytes or 0)
    return facts.model_copy(update={"profile": unused})


def as_used(facts: Facts) -> Facts:
    """The same facts, had the operator reported just now that the profile is in use."""
    used = {"install_state": "enabled", "used_bytes": facts.profile.used_bytes or 1}
    return facts.model_copy(update={"profile": _as_reported(facts, activated_at=facts.decided_at, **used)})


def _as_reported(facts: Facts, **report: Any) -> Profile:
    return facts.profile.model_copy(update={"observed_at": facts.decided_at, **report})


def _asked(case: Case) -> datetime:
    """When the request that is judged came in. A case of the system is as old as it is."""
    return case.received_at or case.requested_at


def _facts(
    order: Order,
    now: datetime,
    request: dict[str, Any],
    support: dict[str, Any],
    case: Case | None,
) -> Facts:
    row = order.row
    paid = order.paid
    return Facts.model_validate(
        {
            "storefront": row.storefront,
            "now": now,
            "order": {
                "kind": row.kind,
                "paid_at": row.paid_at,
                "paid": None if paid is None else Price.of(paid),
                # Each surplus capture has a case of its own; to all others the order was charged once.
                "charges": 2 if case is not None and case.charge_id is not None else 1,
            },
            "delivery": {"delivered_at": row.delivered_at, "refused_at": row.delivery_failed_at},
            "profile": _profile(row, _since(request, support, case), case),
            "top_up": {"applied_at": row.top_up_applied_at},
            "support": support,
            "request": request,
        }
    )


def counts_from(facts: Facts, case: Case) -> datetime:
    """From when on a report of the operator counts for these facts of the case."""
    request = {"received_at": facts.request.received_at, "completed_at": facts.request.completed_at}
    return _since(request, {"finding": facts.support.finding, "found_at": facts.support.found_at}, case)


def _since(request: dict[str, Any], support: dict[str, Any], case: Case | None) -> datetime:
    """From when on a report of the operator counts: when everything else that was waited for was there.

    So a look is worth one decision: what is decided later needs a later one.
    """
    moments = (
        request["received_at"],
        request.get("completed_at"),
        support.get("found_at") if support.get("finding") else None,
        None if case is None else case.observe_after,
    )
    return max(moment for moment in moments if moment is not None)


def _profile(row: Any, since: datetime, case: Case | None) -> dict[str, Any]:
    """What is known of the profile. A report that is too old to deny use is left out; a sign of use never is."""
    state = row.install_state or "unknown"
    installs, counted = _counts(row.install_observed_at, since), _counts(row.usage_observed_at, since)
    reports = [row.install_observed_at] * installs + [row.usage_observed_at] * counted
    seen = {
        "install_state": state if installs else "unknown",
        "downloaded_at": row.downloaded_at or _sign(row, state, "downloaded", installs),
        "installed_at": row.installed_at or _sign(row, state, "installed", installs),
        "activated_at": row.activated_at or _sign(row, state, "enabled", installs),
        "deleted_at": row.deleted_at or _sign(row, state, "deleted", installs),
        "used_bytes": row.used_bytes if counted or row.used_bytes else None,
        "observed_at": max(since, *reports) if reports else row.asked_at,
    }
    if case is not None and case.profile_found_at is not None and case.profile_found_at >= since:
        seen |= _found(case, seen)
    # A revocation that a case of ours brought about is not held against the buyer.
    own = row.revoked_case_id is not None
    return {
        "generated_at": row.generated_at,
        "failed_at": row.failed_at,
        "revoked_at": None if own else row.revoked_at,
        "expired_at": row.expired_at,
        "plan_ends_at": row.plan_ends_at,
        **seen,
    }


def _counts(at: datetime | None, since: datetime) -> bool:
    """Whether a report is young enough. A source that tells whole seconds means up to the next one."""
    if at is None:
        return False
    return at >= (since.replace(microsecond=0) if at.microsecond == 0 else since)


#: What an install state says to have happened before.
_IMPLIED = {
    "downloaded": ("downloaded", "installed", "enabled", "disabled", "deleted"),
    "installed": ("installed", "enabled", "disabled", "deleted"),
    "enabled": ("enabled", "disabled"),
    "deleted": ("deleted",),
}


def _sign(row: Any, state: str, turn: str, fresh: bool) -> datetime | None:
    """When an old report has seen the profile past this turn. A fresh one says so itself, by its state."""
    if fresh or state not in _IMPLIED[turn]:
        return None
    at: datetime | None = row.install_observed_at or row.observed_at
    return at


def _found(case: Case, seen: dict[str, Any]) -> dict[str, Any]:
    """What the operator told an agent."""
    if case.profile_finding == "used":
        return {"activated_at": seen["activated_at"] or case.profile_found_at, "used_bytes": seen["used_bytes"] or 1}
    unknown = seen["install_state"] == "unknown"
    state = {"install_state": "released"} if unknown else {}
    return {**state, "used_bytes": seen["used_bytes"] or 0, "observed_at": case.profile_found_at}


def _support(case: Case) -> dict[str, Any]:
    return {
        "finding": case.finding,
        "found_at": case.found_at,
        "restored_at": case.restored_at,
        "fair_use_violated": case.fair_use_violated,
        "buyer_caused_delay": case.buyer_caused_delay,
        "legal_rule": case.legal_rule,
    }
