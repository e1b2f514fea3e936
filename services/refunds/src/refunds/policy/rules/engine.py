"""The verdict: complete? granted by any ground that no refusal stands against? could one still be? else refused.

Every ground is checked, whatever reason the request names; the reason determines only what has to be proved.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import reduce
from typing import TypeVar

from refunds.policy.models.decision import Deadlines, Decision, Verdict
from refunds.policy.models.facts import REQUEST_FIELDS, Facts
from refunds.policy.models.policy import Policy
from refunds.policy.rules.conditions import (
    Answer,
    answers,
    both,
    failure,
    fault_is_open,
    holds,
    negated,
    request_until,
    restore_by,
)
from refunds.policy.rules.explanations import explain, ground_values, outweighed
from shared.shops.policy import Approval, GroundText, Refusal, Required, Rule

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


def awaits_observation(facts: Facts, policy: Policy) -> bool:
    """Whether a report of the operator could still change the verdict, whatever else is waited for meanwhile."""
    if _lacking(facts, policy):
        return False
    weighed = _weighed(facts, policy)
    if any(approval.answer is Answer.YES for approval in weighed):
        return False
    return any(Answer.OBSERVATION in approval.parts for approval in weighed if approval.answer is not Answer.NO)


def outranks_refusals(facts: Facts, policy: Policy) -> bool:
    """Whether the money is returned whatever the seller's text says (RF 2.4, RF 2.5)."""
    return any(holds(rule.when, facts, policy) is Answer.YES for rule in policy.approve if rule.above_refusals)


@dataclass(slots=True, frozen=True)
class _Weighed:
    """An approval, what it rests on (its conditions, and that no refusal stands against it), and what comes of it."""

    rule: Approval
    parts: tuple[Answer, ...]

    @property
    def answer(self) -> Answer:
        return reduce(both, self.parts, Answer.YES)


def _weighed(facts: Facts, policy: Policy) -> list[_Weighed]:
    """Every approval. A refusal that holds ends it; one that may hold keeps it waiting."""
    refused = [(rule, negated(holds(rule.when, facts, policy))) for rule in policy.refuse]
    return [
        _Weighed(
            rule,
            (
                *(answer for _, answer in answers(rule.when, facts, policy)),
                *(absent for refusal, absent in refused if refusal.stands_against(rule)),
            ),
        )
        for rule in policy.approve
    ]


def _verdict(facts: Facts, policy: Policy) -> tuple[Verdict, list[GroundText]]:
    weighed = _weighed(facts, policy)
    # Grounds above every refusal come first: a buyer who was charged twice wants that money, and keeps the eSIM.
    for group in ([approval for approval in weighed if approval.rule.above_refusals], weighed):
        granted = [approval.rule for approval in group if approval.answer is Answer.YES]
        if granted:
            return "approve", [*_grounds(granted), *_outweighed(granted, facts, policy)]
        # In the order of the file: the first ground that may still hold determines what is waited for.
        for approval in group:
            if approval.answer is not Answer.NO:
                return _AWAIT[approval.answer], [_waiting(facts, policy, approval.rule, approval.answer)]
    refused = _refusals(facts, policy)
    if refused:
        return "deny", _grounds(refused)
    return "deny", _grounds(_that_hold(policy.otherwise[:-1], facts, policy) or policy.otherwise[-1:])


def _refusals(facts: Facts, policy: Policy) -> list[Refusal]:
    """The refusals to cite: they hold, and no exception of the text applies or may still apply."""
    excepted = {rule.clauses[0] for rule in policy.approve if holds(rule.when, facts, policy) is not Answer.NO}
    return [rule for rule in _that_hold(policy.refuse, facts, policy) if excepted.isdisjoint(rule.yields_to)]


def _outweighed(granted: Iterable[Approval], facts: Facts, policy: Policy) -> list[GroundText]:
    """The grounds that the seller's text also names against it, where the policy file says that the grant prevails."""
    names = {rule.clauses[0] for rule in granted}
    rules = [rule for rule in policy.refuse if names.intersection(rule.outweighed_by)]
    return [ground.model_copy(update=outweighed(ground)) for ground in _grounds(_that_hold(rules, facts, policy))]


def _lacking(facts: Facts, policy: Policy) -> list[Required]:
    provided = facts.request.provided
    return [item for item in policy.required_fields(facts.request.reason) if not set(item.any_of) & set(provided)]


def _that_hold(rules: Collection[R], facts: Facts, policy: Policy) -> list[R]:
    return [rule for rule in rules if holds(rule.when, facts, policy) is Answer.YES]


def _grounds(rules: Iterable[Rule]) -> list[GroundText]:
    return [ground for rule in rules for ground in rule.ground]


def _waiting(facts: Facts, policy: Policy, rule: Approval, answer: Answer) -> GroundText:
    if answer is Answer.SUPPORT:
        if rule.support is not None:
            return rule.support
        if policy.waiting.mailbox is not None and failure(facts, policy) is not None and fault_is_open(facts):
            return policy.waiting.mailbox
    ground: GroundText | None = getattr(policy.waiting, answer.value)
    if ground is None:  # the models refuse a policy that waits without a text for it
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
