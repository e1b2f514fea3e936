"""The buttons of a case, each with the decision that would follow, so that an agent knows it beforehand."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from refunds.cases.models.case import UNREVOKED, Case
from refunds.cases.models.file import CaseFile
from refunds.cases.models.request import Finding
from refunds.cases.rules.facts import apply_finding, facts_of
from refunds.cases.rules.state import awaits_appeal, is_revoking
from refunds.policy import Decision, OrderPolicies

_HYPOTHETICAL_RULE = "the rule that you name"


@dataclass(slots=True, frozen=True)
class Action:
    """A button. `leads_to`: the verdict if it is pressed now. `asks`: the label of a text to give with it."""

    name: str
    label: str
    help: str
    leads_to: str
    clauses: str
    asks: str | None = None


#: Label, help and finding of each button, in the order of the page.
_FINDINGS: dict[str, tuple[str, str, Finding]] = {
    "technical_failure": (
        "Confirm the technical failure",
        "The profile does not work by our or the operator's fault.",
        Finding(finding="technical_failure"),
    ),
    "no_failure": (
        "No failure found",
        "Everything on our and the operator's side works.",
        Finding(finding="no_failure"),
    ),
    "unused": (
        "The operator reports: unused",
        "Asked by telephone or in its portal: on no device, no data used.",
        Finding(profile="unused"),
    ),
    "used": (
        "The operator reports: used",
        "Asked by telephone or in its portal: activated, with data used.",
        Finding(profile="used"),
    ),
    "restored": ("The service was restored", "It works again, as of now.", Finding(restored=True)),
    "fair_use": ("Fair use was violated", "The operator reports it.", Finding(fair_use_violated=True)),
    "buyer_delay": (
        "The buyer caused the delay",
        "Delivery was late because of the buyer.",
        Finding(buyer_caused_delay=True),
    ),
    "legal_rule": (
        "The law demands the refund",
        "Name the law or payment-service rule; it is cited to the buyer.",
        Finding(legal_rule=_HYPOTHETICAL_RULE),
    ),
}


def finding(name: str, rule: str) -> Finding | None:
    """The finding that a button records; None for an unknown button, or where the rule is not named."""
    if name == "uphold":
        return Finding()
    if name == "pay_unrevoked":
        return Finding(pay_unrevoked=True)
    if name == "legal_rule":
        return Finding(legal_rule=rule) if rule else None
    known = _FINDINGS.get(name)
    return None if known is None else known[2]


def allowed(file: CaseFile, case: Case, policies: OrderPolicies, now: datetime, *, who: str) -> list[Action]:
    """The buttons that change the decision; for an appeal, also the button that confirms it."""
    if case.closed_at is not None or case.refund_id is not None:
        return []
    if case.person_why in UNREVOKED:
        unrevoked = [_pay_unrevoked(case)]
        return unrevoked if is_revoking(case) else [*unrevoked, *_others(file, case, policies, now, who=who)]
    return [] if is_revoking(case) else _others(file, case, policies, now, who=who)


def askable(file: CaseFile, case: Case, policies: OrderPolicies, now: datetime) -> list[str]:
    """The fields that were given and that the policy needs: each can be asked for again (RF 4.3)."""
    if case.closed_at is not None or case.refund_id is not None or is_revoking(case):
        return []
    found: list[str] = []
    for name in sorted(set(case.provided or ()) - {"order_number"}):
        without = replace(case, provided=sorted(set(case.provided or ()) - {name}), completed_at=None, asked_for=None)
        answer = _answer(file, without, policies, now)
        if answer is not None and name in answer.missing:
            found.append(name)
    return found


def _pay_unrevoked(case: Case) -> Action:
    clauses = ", ".join(f"{ground['document']} {ground['clause']}" for ground in case.grounds or ())
    explained = "The money goes back although the operator has not taken the profile back. Say why in a note."
    return Action("pay_unrevoked", "Pay all the same", explained, "approve", clauses)


def _others(file: CaseFile, case: Case, policies: OrderPolicies, now: datetime, *, who: str) -> list[Action]:
    appealed = awaits_appeal(case)
    if appealed and case.appeal_of == who:
        return []
    today = _answer(file, case, policies, now)
    if today is None:
        return []
    return list(_allowed(file, case, policies, now, today, appealed=appealed))


def _allowed(
    file: CaseFile, case: Case, policies: OrderPolicies, now: datetime, today: Decision, *, appealed: bool
) -> Iterator[Action]:
    if appealed:
        yield _action("uphold", "Decide on the facts as they are", "The policy answers again, in your name.", today)
    for name, (label, explained, found) in _FINDINGS.items():
        if found.restored and case.finding != "technical_failure":
            continue
        answer = _answer(file, _with(case, found, now), policies, now)
        if answer is not None and (answer.verdict, answer.clauses) != (today.verdict, today.clauses):
            yield _action(name, label, explained, answer)


def _action(name: str, label: str, explained: str, answer: Decision) -> Action:
    asks = "The law or rule, as it is to be cited" if name == "legal_rule" else None
    return Action(name, label, explained, answer.verdict, ", ".join(answer.clauses), asks)


def _answer(file: CaseFile, case: Case, policies: OrderPolicies, now: datetime) -> Decision | None:
    return policies.decide(facts_of(file.order, case, now), file.order.charge(case))


def _with(case: Case, found: Finding, now: datetime) -> Case:
    changed = replace(case)
    apply_finding(changed, found, now)
    return changed
