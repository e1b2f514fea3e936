"""What each condition of a policy means, as a question to the facts.

The logic has three values (Kleene's): YES, NO, and unknown. An unknown answer names what would decide it: support's
finding, the end of the time for restoration, or a report of the operator. A conjunction is NO where one condition is
NO, whatever else is unknown; so only what could still change the verdict is requested, and unknown is never "no".
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from enum import Enum
from typing import Any, get_args

from refunds.policy.models.facts import Facts
from refunds.policy.models.policy import Policy
from shared.shops.policy import Failure, Use, When


class Answer(Enum):
    """YES, NO, or unknown until something comes. In the order of a conjunction: the least of its conditions."""

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
    """Each condition of the rule, by its name in the policy file, with its answer."""
    for name in When.model_fields:
        wanted = getattr(when, name)
        if wanted is not None:
            yield name, _QUESTIONS[name](wanted, facts, policy)


def _is(truth: bool) -> Answer:
    return Answer.YES if truth else Answer.NO


def both(one: Answer, other: Answer) -> Answer:
    """Conjunction."""
    return min(one, other, key=_ORDER.index)


def negated(answer: Answer) -> Answer:
    """What is unknown stays unknown."""
    return {Answer.YES: Answer.NO, Answer.NO: Answer.YES}.get(answer, answer)


def _kind(wanted: str, facts: Facts, _policy: Policy) -> Answer:
    return _is(facts.order.kind == wanted)


def _reason(wanted: tuple[str, ...], facts: Facts, _policy: Policy) -> Answer:
    return _is(facts.request.reason in wanted)


def _never_made(wanted: bool, facts: Facts, _policy: Policy) -> Answer:
    return _is(facts.never_made == wanted)


def _requested(wanted: str, facts: Facts, policy: Policy) -> Answer:
    """Late: after 24:00 of the last day. Where the period has not begun (nothing is delivered), it has not ended.

    It does not run at all where the order was never delivered by our failure or the operator's.
    """
    until = _period_end(facts, policy)
    late = _is(until is not None and facts.request.received_at >= until)
    late = both(late, negated(our_failure(facts)))
    return late if wanted == "late" else negated(late)


def our_failure(facts: Facts) -> Answer:
    """Whether a paid order was never delivered, by our failure or the operator's: such a failure has no deadline.

    A mailbox that refused the code may have been named wrongly: support finds out whose fault that is.
    """
    if facts.support.buyer_caused_delay or facts.delivered_at is not None:
        return Answer.NO
    return Answer.YES if facts.never_made or not fault_is_open(facts) else Answer.SUPPORT


def fault_is_open(facts: Facts) -> bool:
    """A mailbox refused the code, and support has not said yet whether the buyer named it wrongly."""
    refused = facts.delivery.refused_at is not None and facts.delivered_at is None
    return refused and not facts.never_made and facts.support.buyer_caused_delay is None


def request_until(facts: Facts, policy: Policy) -> datetime | None:
    """The last moment to ask, in UTC (exclusive, 24:00).

    None where no time runs: nothing is delivered yet and delivery counts, or it was never delivered by our failure.
    """
    return None if our_failure(facts) is Answer.YES else _period_end(facts, policy)


def _period_end(facts: Facts, policy: Policy) -> datetime | None:
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
    if fault_is_open(facts):
        return Answer.SUPPORT
    return _is(bool(facts.support.buyer_caused_delay) == wanted)


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
    """Whether there was a technical failure; None: it is claimed, and support has not decided yet.

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


_USES: tuple[Use, ...] = get_args(Use)
_TAKEN = frozenset({"downloaded", "installed", "enabled", "disabled", "deleted"})
_INSTALLED = _TAKEN - {"downloaded"}
#: A profile is switched off only after it was switched on.
_ACTIVATED = frozenset({"enabled", "disabled"})
_NOT_ACTIVATED = frozenset({"released", "downloaded", "installed"})


def uses(facts: Facts) -> Mapping[Use, Answer]:
    """What has happened to what was bought: YES, NO, or unknown until the operator reports (OBSERVATION).

    A sign of use counts however old it is. "No" needs a report that is young enough and names that very state. What
    was never made is unused. A top-up that is not applied is unused, whatever happens to the eSIM it was meant for.
    """
    profile, applied = facts.profile, facts.top_up.applied_at is not None
    fresh = is_fresh(facts)
    if facts.never_made or (facts.order.kind == "top_up" and not applied):
        return dict.fromkeys(_USES, Answer.NO if facts.never_made or fresh else Answer.OBSERVATION)
    state, used = profile.install_state, bool(profile.used_bytes)
    plan_over = profile.plan_ends_at is not None and profile.plan_ends_at <= facts.request.received_at
    deleted = profile.deleted_at is not None or state == "deleted"
    activated = profile.activated_at is not None or used or state in _ACTIVATED
    installed = profile.installed_at is not None or activated or deleted or state in _INSTALLED
    downloaded = profile.downloaded_at is not None or installed or state in _TAKEN

    def reported(happened: bool, denied: bool) -> Answer:
        if happened:
            return Answer.YES
        return Answer.NO if fresh and denied else Answer.OBSERVATION

    return {
        "downloaded": reported(downloaded, state == "released"),
        "installed": reported(installed, state in ("released", "downloaded")),
        "activated": reported(activated, state in _NOT_ACTIVATED),
        "used": reported(used, profile.used_bytes == 0),
        "deleted": reported(deleted, state not in ("unknown", "deleted")),
        # Records of the platform: what is not recorded has not happened.
        "revoked": _is(profile.revoked_at is not None),
        "expired": _is(profile.expired_at is not None),
        "plan_over": _is(plan_over),
        "applied": _is(facts.order.kind == "top_up" and applied),
    }


def _any(wanted: tuple[Use, ...], facts: Facts) -> Answer:
    """Disjunction: YES where one is YES, NO where all are NO, else unknown."""
    answers_by_use = uses(facts)
    return max((answers_by_use[use] for use in wanted), key=_ORDER.index)


def _known(wanted: tuple[Use, ...], facts: Facts, _policy: Policy) -> Answer:
    """One of these happened. NO where nothing was made, nothing delivered and nothing reported."""
    answer = _any(wanted, facts)
    nothing = facts.profile.generated_at is None and facts.delivered_at is None and not facts.seen
    return Answer.NO if nothing and answer is Answer.OBSERVATION else answer


def _not_known(wanted: tuple[Use, ...], facts: Facts, _policy: Policy) -> Answer:
    return _is(_any(wanted, facts) is not Answer.YES)


def _unused(wanted: tuple[Use, ...], facts: Facts, _policy: Policy) -> Answer:
    """None of these happened, as the operator reports."""
    return negated(_any(wanted, facts))


def is_fresh(facts: Facts) -> bool:
    """The operator reported when everything that the decision waited for was there: request, documents, finding."""
    observed_at = facts.profile.observed_at
    request, support = facts.request, facts.support
    waited_for = (request.received_at, request.completed_at, support.found_at if support.finding else None)
    return observed_at is not None and observed_at >= max(moment for moment in waited_for if moment is not None)


def _traffic(_wanted: str, facts: Facts, policy: Policy) -> Answer:
    """0 bytes were counted. An unknown count is not zero."""
    return _unused(("used",), facts, policy)


_QUESTIONS: dict[str, Callable[[Any, Facts, Policy], Answer]] = {
    "kind": _kind,
    "reason": _reason,
    "requested": _requested,
    "never_made": _never_made,
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
