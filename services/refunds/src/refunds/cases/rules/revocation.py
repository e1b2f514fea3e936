"""Revoke first: the profile that a refund pays back is taken out of use before the money goes (I13).

Only what provisioning says of it, or a person, ends the waiting; a case of an earlier release has no stored approval.
"""

from datetime import datetime
from enum import Enum, auto

from refunds.cases.models.case import Case
from refunds.cases.models.file import CaseFile
from refunds.cases.rules.facts import as_unused, facts_of
from refunds.policy.models.decision import Decision
from refunds.policy.models.facts import Facts, Profile
from refunds.policy.rules.order_policies import OrderPolicies


class Outcome(Enum):
    """How it stands. RELEASED: no code works any more, none will ever be made, or a person pays all the same."""

    WAITS = auto()
    RELEASED = auto()
    REFUSED = auto()


def outcome(file: CaseFile, case: Case) -> Outcome:
    """What became of the revocation that the case asked for."""
    said = file.revocation(case)
    if case.pay_unrevoked or said.revoked_at is not None or not file.order.has_profile:
        return Outcome.RELEASED
    return Outcome.WAITS if said.refused_at is None else Outcome.REFUSED


def approval(file: CaseFile, case: Case, policies: OrderPolicies, now: datetime) -> Decision:
    """The answer that was approved before the profile was revoked: nothing that comes later takes it back."""
    if case.approval is not None:
        return Decision.model_validate(case.approval)
    facts = facts_of(file.order, case, now)
    clean = facts.model_copy(update={"profile": Profile(generated_at=facts.profile.generated_at)})
    answer = policies.answer(as_unused(clean))
    if answer is None:
        raise LookupError(f"no policy is known of case {case.case_id}, which has approved a cancellation")
    return answer


def facts_after_refusal(file: CaseFile, case: Case, facts: Facts) -> Facts:
    """An operator that refuses because the profile is on a device has said that its code was used."""
    said = file.revocation(case)
    if not said.in_use or said.refused_at is None or facts.profile.downloaded_at is not None:
        return facts
    return facts.model_copy(update={"profile": facts.profile.model_copy(update={"downloaded_at": said.refused_at})})
