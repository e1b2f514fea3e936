"""A policy as tables: the same rows for the page, the shell and JSON."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import get_args

from refunds.policy import Policy, PolicyBook
from refunds.policy.rules import phrases
from shared.contracts import Language
from shared.shops.policy import Approval, Periods, Refusal, Rule, Words

_DEADLINES = {
    "request_until": "last day to ask",
    "decide_by": "the request is reviewed",
    "restore_by": "a confirmed failure is restored",
    "pay_by": "the money is sent",
    "credited_by": "the money has usually arrived",
    "answer_claim_by": "a written claim is answered",
}


@dataclass(slots=True, frozen=True)
class Section:
    """A table: its title, what its rows mean, headings, and cells of one or more lines."""

    title: str
    note: str
    headings: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], ...], ...]


@dataclass(slots=True, frozen=True)
class PolicyTable:
    """One policy, ready to be shown."""

    name: str
    judges: str
    about: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]


def table(policy: Policy, book: PolicyBook) -> PolicyTable:
    """The whole policy file, in the order in which the engine reads it."""
    versions = book.versions(policy.storefront)
    place = [version.name for version in versions].index(policy.name)
    later = versions[place + 1] if place + 1 < len(versions) else None
    documents = "; ".join(
        f"{short}: {' / '.join(_in_every_language(named))}" for short, named in policy.documents.items()
    )
    hours = "none" if policy.delivery_hours is None else f"{policy.delivery_hours} hours after the purchase"
    about = (
        ("Source", policy.source),
        ("Documents", documents),
        ("Time zone", policy.zone),
        ("Public holidays", policy.holidays or "none"),
        ("Currency", policy.currency),
        ("Time limit for delivery", hours),
        ("In the words", "{…} stands for the order's own dates, amounts and numbers"),
        ("A technical failure is claimed by the reasons", phrases.any_of(policy.failure_reasons or ("none",))),
    )
    return PolicyTable(policy.name, phrases.in_force(policy, later), about, tuple(_sections(policy)))


def _sections(policy: Policy) -> Iterable[Section]:
    yield Section(
        "What a request must carry",
        "Checked first: an incomplete request waits, and the buyer is asked for exactly what is missing.",
        ("Field", "Clause", "Words"),
        tuple(((phrases.required(item),), item.clauses, _in_every_language(item)) for item in policy.required),
    )
    periods = ((name, getattr(policy.deadlines, name)) for name in Periods.model_fields)
    yield Section(
        "Deadlines",
        "The day of the event is day 0. Business days skip Saturdays, Sundays and public holidays.",
        ("Deadline", "When", "Clause"),
        tuple(((_DEADLINES[name],), (phrases.period(one),), (one.clause,)) for name, one in periods if one is not None),
    )
    yield Section(
        "Refused when",
        "One that holds, or may still hold, stands against every ground that it does not name. All are cited.",
        ("All of these hold", "Clauses", "Words"),
        tuple(map(_rule, policy.refuse)),
    )
    yield Section(
        "Refunded when",
        "Every row is checked, whatever reason the request names. One that holds is enough; where none holds yet, the "
        "request waits for what the first possible one needs.",
        ("All of these hold", "Clauses", "Words"),
        tuple(map(_rule, policy.approve)),
    )
    yield Section(
        "Refused otherwise",
        "Where nothing above decides.",
        ("All of these hold", "Clauses", "Words"),
        tuple(map(_rule, policy.otherwise)),
    )
    waiting = {
        "support": policy.waiting.support,
        "support, about a mailbox": policy.waiting.mailbox,
        "restoration": policy.waiting.restoration,
        "an observation": policy.waiting.observation,
    }
    yield Section(
        "While it waits",
        "What the buyer reads meanwhile.",
        ("Waits for", "Clauses", "Words"),
        tuple(((name,), ground.clauses, _in_every_language(ground)) for name, ground in waiting.items() if ground),
    )
    answers = {
        "How the money comes back": policy.answers.money_back,
        "What an incomplete request means": policy.answers.incomplete,
        "How to appeal": policy.answers.appeal,
    }
    yield Section(
        "Answers",
        "Added to the decision's grounds.",
        ("About", "Words"),
        tuple(((name,), _in_every_language(words)) for name, words in answers.items()),
    )


def _rule(rule: Rule) -> tuple[tuple[str, ...], ...]:
    holds = phrases.conditions(rule.when)
    if isinstance(rule, Refusal) and rule.yields_to:
        holds.append(f"it does not stand against {phrases.any_of(rule.yields_to)}")
    if isinstance(rule, Refusal) and rule.outweighed_by:
        holds.append(f"{phrases.any_of(rule.outweighed_by)} prevails over it, and the decision names both")
    if isinstance(rule, Approval) and rule.above_refusals:
        holds.append("stands above every refusal")
    return (
        tuple(holds),
        rule.clauses,
        tuple(sentence for ground in rule.ground for sentence in _in_every_language(ground)),
    )


def _in_every_language(words: Words) -> tuple[str, ...]:
    return tuple(getattr(words, language) for language in get_args(Language))


def as_text(shown: PolicyTable) -> str:
    """The tables for a terminal: Markdown, which a page of documents can hold as it is."""
    lines = [f"# {shown.name}", "", f"Judges {shown.judges}.", ""]
    lines += [f"- {name}: {value}" for name, value in shown.about]
    for section in shown.sections:
        lines += ["", f"## {section.title}", "", section.note, ""]
        lines += [f"| {' | '.join(section.headings)} |", "|" + "---|" * len(section.headings)]
        lines += [f"| {' | '.join('<br>'.join(cell) for cell in row)} |" for row in section.rows]
    return "\n".join(lines) + "\n"
