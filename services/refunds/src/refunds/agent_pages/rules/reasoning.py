"""How the policy decides a case, step by step, in the order of the engine."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from refunds.policy import Decision, Facts, Policy
from refunds.policy.rules import phrases
from refunds.policy.rules.conditions import Answer, answers, holds
from refunds.policy.rules.explanations import fillings
from shared.shops.policy import Refusal, Rule, When

_IN_WORDS = {
    Answer.YES: "holds",
    Answer.NO: "does not hold",
    Answer.SUPPORT: "waits for support",
    Answer.RESTORATION: "waits for restoration",
    Answer.OBSERVATION: "not known: waits for the operator",
}


@dataclass(slots=True, frozen=True)
class Condition:
    """One condition of a rule. `mark`: yes, no or wait; `result`: the same in words."""

    text: str
    mark: str
    result: str


@dataclass(slots=True, frozen=True)
class RuleResult:
    """A rule with its result. `decisive`: the decision cites it."""

    clauses: str
    text: str
    mark: str
    result: str
    conditions: tuple[Condition, ...]
    decisive: bool


@dataclass(slots=True, frozen=True)
class Step:
    """One question of the policy."""

    title: str
    note: str
    rules: tuple[RuleResult, ...]


def steps(facts: Facts, policy: Policy, decision: Decision) -> list[Step]:
    """The steps complete, refused, granted and otherwise; the last only where no rule before it decided."""
    cited = set(decision.clauses)
    result = [_complete(facts, policy)]
    if decision.verdict == "await_information":
        return result
    refused = _rules(policy.refuse, facts, policy, cited if decision.verdict == "deny" else set())
    result.append(
        Step(
            "Is it refused?", "An unknown condition refuses nothing, but keeps the request from being granted.", refused
        )
    )
    granted = _rules(policy.approve, facts, policy, set() if decision.verdict == "deny" else cited)
    result.append(
        Step("Is it granted?", "Every ground is checked; one that holds and is not refused is enough.", granted)
    )
    if decision.verdict == "deny" and not any(rule.decisive for rule in refused):
        rest = _rules(policy.otherwise, facts, policy, cited)
        result.append(Step("Why not?", "No ground grants it, for these reasons.", rest))
    return result


def _complete(facts: Facts, policy: Policy) -> Step:
    provided = set(facts.request.provided)
    rules = []
    for item in policy.required_fields(facts.request.reason):
        given = bool(provided.intersection(item.any_of))
        mark, text = ("yes", "provided") if given else ("no", "missing")
        rules.append(RuleResult(", ".join(item.clauses), phrases.any_of(item.any_of), mark, text, (), not given))
    return Step("Is the request complete?", "The buyer is asked for missing fields before anything else.", tuple(rules))


def _rules(rules: Iterable[Rule], facts: Facts, policy: Policy, cited: set[str]) -> tuple[RuleResult, ...]:
    values = fillings(facts, policy, "en")
    results = []
    for rule in rules:
        answer = holds(rule.when, facts, policy)
        results.append(
            RuleResult(
                clauses=", ".join(rule.clauses),
                text=" ".join(ground.en.format_map(values) for ground in rule.ground),
                mark=_mark(answer),
                result=_IN_WORDS[answer],
                conditions=tuple(_conditions(rule, facts, policy)),
                decisive=answer is not Answer.NO and not cited.isdisjoint(rule.clauses),
            )
        )
    return tuple(results)


def _conditions(rule: Rule, facts: Facts, policy: Policy) -> Iterator[Condition]:
    for name, answer in answers(rule.when, facts, policy):
        wanted = When.model_validate({name: getattr(rule.when, name)})
        yield Condition(phrases.conditions(wanted)[0], _mark(answer), _IN_WORDS[answer])
    if isinstance(rule, Refusal) and rule.yields_to:
        yield Condition(f"does not stand against {phrases.any_of(rule.yields_to)}", "wait", "an exception")
    if isinstance(rule, Refusal) and rule.outweighed_by:
        yield Condition(f"{phrases.any_of(rule.outweighed_by)} prevails over it", "wait", "a choice of the policy file")


def _mark(answer: Answer) -> str:
    return {Answer.YES: "yes", Answer.NO: "no"}.get(answer, "wait")
