"""What became of a revocation: a profile is revoked before the money that paid for it is returned (I13).

Only provisioning, or a person, ends the waiting. Cases of release 1.0 have no stored approval.
"""

from datetime import datetime
from enum import Enum, auto

from refunds.cases.models.case import Case
from refunds.cases.models.file import CaseFile
from refunds.cases.rules.facts import as_unused, facts_of
from refunds.policy import Decision, Facts, OrderPolicies, Profile


class RevocationResult(Enum):
    """RELEASED: the code no longer works or will never be made, or an agent pays although it works."""

    WAITS = auto()
    RELEASED = auto()
    REFUSED = auto()


def revocation_result(file: CaseFile, case: Case) -> RevocationResult:
    """What became of the revocation that the case requested."""
    revocation = file.revocation(case)
    if case.pay_unrevoked or revocation.revoked_at is not None or not file.order.has_profile:
        return RevocationResult.RELEASED
    return RevocationResult.WAITS if revocation.refused_at is None else RevocationResult.REFUSED


def approved_decision(file: CaseFile, case: Case, policies: OrderPolicies, now: datetime) -> Decision:
    """The decision that was approved before the revocation was requested. No later fact withdraws it."""
    if case.approval is not None:
        return Decision.model_validate(case.approval)
    facts = facts_of(file.order, case, now)
    clean = facts.model_copy(update={"profile": Profile(generated_at=facts.profile.generated_at)})
    decision = policies.decide(as_unused(clean))
    if decision is None:
        raise LookupError(f"there is no policy for case {case.case_id}, which has approved a cancellation")
    return decision


def facts_after_refusal(file: CaseFile, case: Case, facts: Facts) -> Facts:
    """The facts, with the code as used where the operator refused because the profile is on a device."""
    revocation = file.revocation(case)
    if not revocation.in_use or revocation.refused_at is None or facts.profile.downloaded_at is not None:
        return facts
    profile = facts.profile.model_copy(update={"downloaded_at": revocation.refused_at})
    return facts.model_copy(update={"profile": profile})
