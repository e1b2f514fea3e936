"""Translates the rows of an order and its case into the facts that a policy decides on."""

from datetime import datetime
from typing import Any

from refunds.cases.models.case import DOUBLE_CHARGE, GENERATION_FAILED, NOT_DELIVERED, Case
from refunds.cases.models.file import Order
from refunds.cases.models.request import Finding
from refunds.policy import REQUEST_FIELDS, Delivery, Facts, Price, Profile

#: The reason that a policy sees for each of the system's own cases.
_SYSTEM_REASONS = {GENERATION_FAILED: "technical_failure", NOT_DELIVERED: "not_delivered"}


def reason_of(case: Case) -> str:
    """The reason of the case, as policies name it."""
    if case.reason is not None:
        return case.reason
    return DOUBLE_CHARGE if case.charge_id is not None else _SYSTEM_REASONS.get(case.ground, "other")


def facts_of(order: Order, case: Case, now: datetime) -> Facts:
    """The facts that a policy decides on for a case. The system's own cases need no documents."""
    request = {
        "received_at": case.received_at or case.requested_at,
        "reason": reason_of(case),
        "provided": list(REQUEST_FIELDS if case.origin == "system" else case.provided or ()),
        # Where something was missing, the time to review begins when the last of it has come (RF 5.1).
        "completed_at": case.completed_at or (now if case.asked_for else None),
    }
    facts = _facts(order, now, request, _support(case), case)
    if case.ground != GENERATION_FAILED:
        return facts
    # The failure is final by contract. Whatever else was reported about a profile does not count, in any order.
    return facts.model_copy(update={"profile": Profile(failed_at=order.row.failed_at), "delivery": Delivery()})


def hypothetical(order: Order, reason: str, now: datetime) -> Facts:
    """The facts of a complete request that a buyer would make now."""
    return _facts(order, now, {"received_at": now, "reason": reason, "provided": list(REQUEST_FIELDS)}, {}, None)


def as_unused(facts: Facts) -> Facts:
    """The facts, if the operator reported now that the profile is not used further than reported before."""
    profile = facts.profile
    state = "released" if profile.install_state == "unknown" else profile.install_state
    unused = _as_reported(facts, install_state=state, used_bytes=profile.used_bytes or 0)
    return facts.model_copy(update={"profile": unused})


def as_used(facts: Facts) -> Facts:
    """The facts, if the operator reported now that the profile is in use."""
    used = {"install_state": "enabled", "used_bytes": facts.profile.used_bytes or 1}
    return facts.model_copy(update={"profile": _as_reported(facts, activated_at=facts.decided_at, **used)})


def _as_reported(facts: Facts, **report: Any) -> Profile:
    return facts.profile.model_copy(update={"observed_at": facts.decided_at, **report})


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
    """The earliest time of a report of the operator that counts for these facts of the case."""
    request = {"received_at": facts.request.received_at, "completed_at": facts.request.completed_at}
    return _since(request, {"finding": facts.support.finding, "found_at": facts.support.found_at}, case)


def _since(request: dict[str, Any], support: dict[str, Any], case: Case | None) -> datetime:
    """The earliest time of a report that counts: when everything else that the case waited for had arrived.

    A report therefore serves one decision; a decision that waits for something else needs a newer report.
    """
    moments = (
        request["received_at"],
        request.get("completed_at"),
        support.get("found_at") if support.get("finding") else None,
        None if case is None else case.observe_after,
    )
    return max(moment for moment in moments if moment is not None)


def _profile(row: Any, since: datetime, case: Case | None) -> dict[str, Any]:
    """The facts about the profile. Reports that are too old to prove no use are left out; signs of use never are."""
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
    # A revocation that one of our cases requested does not count against the buyer.
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
    """Whether a report is new enough. A source with whole seconds means any moment before the next second."""
    if at is None:
        return False
    return at >= (since.replace(microsecond=0) if at.microsecond == 0 else since)


#: By step: the install states that imply it.
_IMPLIED = {
    "downloaded": ("downloaded", "installed", "enabled", "disabled", "deleted"),
    "installed": ("installed", "enabled", "disabled", "deleted"),
    "enabled": ("enabled", "disabled"),
    "deleted": ("deleted",),
}


def _sign(row: Any, state: str, step: str, fresh: bool) -> datetime | None:
    """When an old report showed that the profile had passed this step. A fresh report shows it by its state."""
    if fresh or state not in _IMPLIED[step]:
        return None
    at: datetime | None = row.install_observed_at or row.observed_at
    return at


def _found(case: Case, seen: dict[str, Any]) -> dict[str, Any]:
    """What the operator reported to an agent."""
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


def apply_finding(case: Case, finding: Finding, now: datetime) -> None:
    """Write into the case what an agent found out; what was not found stays as it is."""
    if finding.finding is not None:
        case.finding, case.found_at = finding.finding, now
    if finding.restored:
        case.restored_at = case.restored_at or now
    if finding.profile is not None:
        case.profile_finding, case.profile_found_at = finding.profile, now
    for name in ("fair_use_violated", "buyer_caused_delay", "legal_rule"):
        if (value := getattr(finding, name)) is not None:
            setattr(case, name, value)
