"""The order of questions: complete? refused whatever else? does somebody have to act first? then the verdict."""

from collections.abc import Collection, Iterable
from typing import TypeVar

from refunds.domain.policy.conditions import Answer, failure, holds, request_until, restore_by
from refunds.domain.policy.decision import Deadlines, Decision, Verdict
from refunds.domain.policy.facts import REQUEST_FIELDS, Facts
from refunds.domain.policy.model import Approval, GroundText, Policy, Refusal, Required, Rule
from refunds.domain.policy.words import explain, ground_values

R = TypeVar("R", bound=Rule)
_AWAIT: dict[Answer, Verdict] = {
    Answer.SUPPORT: "await_support",
    Answer.RESTORATION: "await_restoration",
    Answer.OBSERVATION: "await_observation",
}


def decide(facts: Facts, policy: Policy) -> Decision:
    """The verdict of a policy on facts, at `facts.now`. Pure: the same facts always give the same decision."""
    lacking = _lacking(facts, policy)
    missing = {field for item in lacking for field in item.any_of}
    verdict: Verdict = "await_information"
    grounds: list[GroundText] = list(lacking)
    if not lacking:
        verdict, grounds = _verdict(facts, policy)
    until = _deadlines(verdict, facts, policy)
    return Decision(
        verdict=verdict,
        grounds=ground_values(grounds, facts, policy),
        refund=facts.order.paid if verdict == "approve" else None,
        missing=tuple(field for field in REQUEST_FIELDS if field in missing),
        policy=policy.name,
        deadlines=until,
        explanation=explain(verdict, grounds, until, facts, policy),
    )


def refusals(facts: Facts, policy: Policy) -> list[Refusal]:
    """The refusals that apply, and that no approval stands against which holds or may still hold."""
    possible = [rule for rule in policy.approve if holds(rule.when, facts, policy) is not Answer.NO]
    if any(rule.above_refusals for rule in possible):
        return []
    standing = {rule.clauses[0] for rule in possible}
    return [rule for rule in _that_hold(policy.refuse, facts, policy) if standing.isdisjoint(rule.yields_to)]


def _verdict(facts: Facts, policy: Policy) -> tuple[Verdict, list[GroundText]]:
    refused = refusals(facts, policy)
    if refused:
        return "deny", _grounds(refused)
    # In the order of the file: what has to be waited for comes before what stands below it.
    for group in ([rule for rule in policy.approve if rule.above_refusals], policy.approve):
        for rule in group:
            answer = holds(rule.when, facts, policy)
            if answer is Answer.YES:
                return "approve", _grounds(_that_hold(group, facts, policy))
            if answer is not Answer.NO:
                return _AWAIT[answer], [_waiting(policy, rule, answer)]
    last = policy.otherwise[-1:]
    return "deny", _grounds(_that_hold(policy.otherwise[:-1], facts, policy) or last)


def _lacking(facts: Facts, policy: Policy) -> list[Required]:
    provided = facts.request.provided
    return [item for item in policy.required_fields(facts.request.reason) if not set(item.any_of) & set(provided)]


def _that_hold(rules: Collection[R], facts: Facts, policy: Policy) -> list[R]:
    return [rule for rule in rules if holds(rule.when, facts, policy) is Answer.YES]


def _grounds(rules: Iterable[Rule]) -> list[GroundText]:
    return [ground for rule in rules for ground in rule.ground]


def _waiting(policy: Policy, rule: Approval, answer: Answer) -> GroundText:
    if answer is Answer.SUPPORT and rule.support is not None:
        return rule.support
    ground: GroundText | None = getattr(policy.waiting, answer.value)
    if ground is None:  # the models refuse a policy that asks without saying why
        raise LookupError(f"{policy.name} waits for {answer.value} and does not say why")
    return ground


def _deadlines(verdict: Verdict, facts: Facts, policy: Policy) -> Deadlines:
    """Those that run. `decide_by` and `restore_by` start when the request does, the others with an approval."""
    periods = policy.deadlines
    claimed = failure(facts, policy) in (None, "confirmed") and not facts.never_made
    complete_at = facts.request.completed_at or facts.request.received_at
    approved_at = facts.decided_at if verdict == "approve" else None
    return Deadlines(
        request_until=request_until(facts, policy),
        decide_by=None if verdict == "await_information" else policy.after(periods.decide_by, complete_at),
        restore_by=restore_by(facts, policy) if claimed else None,
        pay_by=policy.after(periods.pay_by, approved_at),
        credited_by=policy.after(periods.credited_by, approved_at),
    )
