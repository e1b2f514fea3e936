"""What each condition of a policy means, as a question to the facts.

An answer is YES, NO, or what has to come first: support's finding, the end of the time for restoration, or an
observation of the profile that is not older than the request.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from enum import Enum
from typing import Any

from refunds.domain.policy.facts import Facts
from refunds.domain.policy.model import Failure, Policy, Use, When


class Answer(Enum):
    """In the order in which they are told: a NO settles the question, then what has to come first."""

    NO = "no"
    SUPPORT = "support"
    RESTORATION = "restoration"
    OBSERVATION = "observation"
    YES = "yes"


_ORDER = list(Answer)


def holds(when: When, facts: Facts, policy: Policy) -> Answer:
    """Whether all conditions hold: NO as soon as one does not, else the first thing to wait for, else YES."""
    return min((answer for _, answer in answers(when, facts, policy)), key=_ORDER.index, default=Answer.YES)


def answers(when: When, facts: Facts, policy: Policy) -> Iterator[tuple[str, Answer]]:
    """Each condition that is asked, by its name in the policy file, with its answer."""
    for name in When.model_fields:
        wanted = getattr(when, name)
        if wanted is not None:
            yield name, _QUESTIONS[name](wanted, facts, policy)


def _is(truth: bool) -> Answer:
    return Answer.YES if truth else Answer.NO


def _kind(wanted: str, facts: Facts, _policy: Policy) -> Answer:
    return _is(facts.order.kind == wanted)


def _reason(wanted: tuple[str, ...], facts: Facts, _policy: Policy) -> Answer:
    return _is(facts.request.reason in wanted)


def _requested(wanted: str, facts: Facts, policy: Policy) -> Answer:
    """Late: after 24:00 of the last day. Where the period has not begun (nothing is delivered), it has not ended."""
    until = request_until(facts, policy)
    late = until is not None and facts.request.received_at >= until
    return _is(late == (wanted == "late"))


def request_until(facts: Facts, policy: Policy) -> datetime | None:
    """The last moment to ask, in UTC (exclusive, 24:00); None where nothing is delivered yet and delivery counts."""
    period = policy.deadlines.request_until
    if period is None:
        return None
    return policy.after(period, facts.order.paid_at if period.after == "purchase" else facts.delivered_at)


def _delivered(wanted: bool, facts: Facts, _policy: Policy) -> Answer:
    return _is((facts.delivered_at is not None) == wanted)


def _delivery(wanted: str, facts: Facts, _policy: Policy) -> Answer:
    """Overdue: it came after the offer's limit, has not come and the limit is over, or will never come."""
    due = facts.order.delivery_due_at
    overdue = facts.never_made or (due is not None and (facts.delivered_at or facts.decided_at) > due)
    return _is(overdue == (wanted == "overdue"))


def _buyer_caused_delay(wanted: bool, facts: Facts, _policy: Policy) -> Answer:
    return _is(facts.support.buyer_caused_delay == wanted)


def _charged_twice(wanted: bool, facts: Facts, _policy: Policy) -> Answer:
    """Money was taken more often than once, and that is what the request is about."""
    return _is((facts.request.reason == "double_charge" and facts.order.charges > 1) == wanted)


def _payment_error(_wanted: str, facts: Facts, policy: Policy) -> Answer:
    """An error of the payment system: our books show it, or support finds it."""
    if facts.request.reason != "double_charge":
        return Answer.NO
    if facts.order.charges > 1 or facts.support.finding == "technical_failure":
        return Answer.YES
    return Answer.SUPPORT if facts.support.finding is None and policy.waiting.support else Answer.NO


def failure(facts: Facts, policy: Policy) -> Failure | None:
    """What is known of a technical failure; None: claimed, and support has not looked yet.

    A failed generation that the platform recorded itself counts as confirmed (RP 2).
    """
    if facts.profile.failed_at is not None or facts.support.finding == "technical_failure":
        return "confirmed"
    if facts.support.finding == "no_failure":
        return "not_found"
    claimed = facts.request.reason in policy.failure_reasons
    if facts.request.reason == "not_delivered":
        claimed = claimed and facts.delivered_at is None
    return None if claimed else "not_claimed"


def _failure(wanted: tuple[Failure, ...], facts: Facts, policy: Policy) -> Answer:
    known = failure(facts, policy)
    return Answer.SUPPORT if known is None else _is(known in wanted)


def restore_by(facts: Facts, policy: Policy) -> datetime | None:
    """The end of the time for restoration: exact hours from the written request."""
    return policy.after(policy.deadlines.restore_by, facts.request.received_at)


def _restored(wanted: str, facts: Facts, policy: Policy) -> Answer:
    """Restored at the last instant is restored in time."""
    until = restore_by(facts, policy)
    if until is None:
        return Answer.NO
    restored_at = facts.support.restored_at
    if restored_at is None and facts.decided_at < until:
        return Answer.RESTORATION
    in_time = restored_at is not None and restored_at <= until
    return _is(in_time == (wanted == "in_time"))


def _legal_rule(wanted: bool, facts: Facts, _policy: Policy) -> Answer:
    return _is((facts.support.legal_rule is not None) == wanted)


def _fair_use_violated(wanted: bool, facts: Facts, _policy: Policy) -> Answer:
    return _is(facts.support.fair_use_violated == wanted)


def _days_since_purchase_over(wanted: int, facts: Facts, policy: Policy) -> Answer:
    return _is(policy.calendar.days_between(facts.order.paid_at, facts.request.received_at) > wanted)


def known_uses(facts: Facts) -> frozenset[Use]:
    """What has happened to what was bought, as far as anybody knows, however old the knowledge is.

    A top-up that is not applied is unused, whatever happens to the eSIM it was meant for.
    """
    profile = facts.profile
    applied = facts.order.kind == "top_up" and facts.top_up.applied_at is not None
    if facts.order.kind == "top_up" and not applied:
        return frozenset()
    plan_over = profile.plan_ends_at is not None and profile.plan_ends_at <= facts.request.received_at
    found: dict[Use, bool] = {
        "installed": profile.installed_at is not None,
        "activated": profile.activated_at is not None,
        "used": bool(profile.used_bytes),
        "deleted": profile.deleted_at is not None,
        "revoked": profile.revoked_at is not None,
        "expired": profile.expired_at is not None,
        "plan_over": plan_over,
        "applied": applied,
    }
    return frozenset(use for use, happened in found.items() if happened)


def _known(wanted: tuple[Use, ...], facts: Facts, _policy: Policy) -> Answer:
    return _is(not known_uses(facts).isdisjoint(wanted))


def _not_known(wanted: tuple[Use, ...], facts: Facts, _policy: Policy) -> Answer:
    return _is(known_uses(facts).isdisjoint(wanted))


def _unused(wanted: tuple[Use, ...], facts: Facts, _policy: Policy) -> Answer:
    """None of these happened, by an observation that is not older than the request. What was never made is unused."""
    if not known_uses(facts).isdisjoint(wanted):
        return Answer.NO
    return Answer.YES if facts.never_made or is_fresh(facts) else Answer.OBSERVATION


def is_fresh(facts: Facts) -> bool:
    """The profile was observed when the request was there already."""
    observed_at = facts.profile.observed_at
    return observed_at is not None and observed_at >= facts.request.received_at


def _traffic(_wanted: str, facts: Facts, policy: Policy) -> Answer:
    """0 bytes, as somebody has counted: an unknown count is not zero."""
    answer = _unused(("used",), facts, policy)
    unmade = facts.never_made or (facts.order.kind == "top_up" and facts.top_up.applied_at is None)
    if answer is Answer.YES and not unmade and facts.profile.used_bytes is None:
        return Answer.OBSERVATION
    return answer


_QUESTIONS: dict[str, Callable[[Any, Facts, Policy], Answer]] = {
    "kind": _kind,
    "reason": _reason,
    "requested": _requested,
    "delivered": _delivered,
    "delivery": _delivery,
    "buyer_caused_delay": _buyer_caused_delay,
    "charged_twice": _charged_twice,
    "payment_error": _payment_error,
    "failure": _failure,
    "restored": _restored,
    "legal_rule": _legal_rule,
    "fair_use_violated": _fair_use_violated,
    "days_since_purchase_over": _days_since_purchase_over,
    "known": _known,
    "not_known": _not_known,
    "unused": _unused,
    "traffic": _traffic,
}
