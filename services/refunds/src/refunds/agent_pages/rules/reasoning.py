"""A policy's reasoning about a case, step by step, in the order in which it is asked."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from refunds.policy import Decision, Facts, Policy
from refunds.policy.models.policy import Refusal, Rule, When
from refunds.policy.rules import phrases
from refunds.policy.rules.conditions import Answer, answers, holds
from refunds.policy.rules.explanations import fillings

_SAID = {
    Answer.YES: "holds",
    Answer.NO: "does not hold",
    Answer.SUPPORT: "waits for support",
    Answer.RESTORATION: "waits for restoration",
    Answer.OBSERVATION: "not known: waits for the operator",
}


@dataclass(slots=True, frozen=True)
class Condition:
    """One condition of a rule. `mark`: yes, no or wait."""

    text: str
    mark: str
    said: str


@dataclass(slots=True, frozen=True)
class Asked:
    """A rule that was asked. `decisive`: the decision cites it."""

    clauses: str
    text: str
    mark: str
    said: str
    conditions: tuple[Condition, ...]
    decisive: bool


@dataclass(slots=True, frozen=True)
class Step:
    """One question of the policy."""

    title: str
    note: str
    rules: tuple[Asked, ...]


def steps(facts: Facts, policy: Policy, decision: Decision) -> list[Step]:
    """Complete? Refused? Granted? Otherwise? Only the last step may be missing: it is asked when nothing decided."""
    cited = {f"{ground.document} {ground.clause}" for ground in decision.grounds}
    told = [_complete(facts, policy)]
    if decision.verdict == "await_information":
        return told
    refused = _rules(policy.refuse, facts, policy, cited if decision.verdict == "deny" else set())
    told.append(Step("Is it refused?", "What is not known refuses nothing, and keeps from granting.", refused))
    granted = _rules(policy.approve, facts, policy, set() if decision.verdict == "deny" else cited)
    told.append(
        Step("Is it granted?", "Every ground is asked; one that holds, and is not refused, is enough.", granted)
    )
    if decision.verdict == "deny" and not any(rule.decisive for rule in refused):
        rest = _rules(policy.otherwise, facts, policy, cited)
        told.append(Step("Why not?", "Nothing granted it; these say why.", rest))
    return told


def _complete(facts: Facts, policy: Policy) -> Step:
    provided = set(facts.request.provided)
    rules = []
    for item in policy.required_fields(facts.request.reason):
        there = bool(provided.intersection(item.any_of))
        mark, said = ("yes", "provided") if there else ("no", "missing")
        rules.append(Asked(", ".join(item.clauses), phrases.any_of(item.any_of), mark, said, (), not there))
    return Step("Is the request complete?", "Whatever is missing is asked for before anything else.", tuple(rules))


def _rules(rules: Iterable[Rule], facts: Facts, policy: Policy, cited: set[str]) -> tuple[Asked, ...]:
    values = fillings(facts, policy, "en")
    told = []
    for rule in rules:
        answer = holds(rule.when, facts, policy)
        told.append(
            Asked(
                clauses=", ".join(rule.clauses),
                text=" ".join(ground.en.format_map(values) for ground in rule.ground),
                mark=_mark(answer),
                said=_SAID[answer],
                conditions=tuple(_conditions(rule, facts, policy)),
                decisive=answer is not Answer.NO and not cited.isdisjoint(rule.clauses),
            )
        )
    return tuple(told)


def _conditions(rule: Rule, facts: Facts, policy: Policy) -> Iterator[Condition]:
    for name, answer in answers(rule.when, facts, policy):
        wanted = When.model_validate({name: getattr(rule.when, name)})
        yield Condition(phrases.conditions(wanted)[0], _mark(answer), _SAID[answer])
    if isinstance(rule, Refusal) and rule.yields_to:
        yield Condition(f"does not stand against {phrases.any_of(rule.yields_to)}", "wait", "an exception")
    if isinstance(rule, Refusal) and rule.outweighed_by:
        yield Condition(f"{phrases.any_of(rule.outweighed_by)} prevails over it", "wait", "a choice of the policy file")


def _mark(answer: Answer) -> str:
    return {Answer.YES: "yes", Answer.NO: "no"}.get(answer, "wait")


def cited(decision: Decision) -> Sequence[str]:
    """`RF 2.1`, `RF 3.1`."""
    return [f"{ground.document} {ground.clause}" for ground in decision.grounds]
