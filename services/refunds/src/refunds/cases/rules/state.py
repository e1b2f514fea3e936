"""The state of a case, derived from its row and from what payments reported."""

from refunds.cases.models.case import Case, CaseState, RefundOutcome

#: The state that a verdict leads to where nothing else determines it.
_BY_VERDICT = {
    "await_information": CaseState.INFORMATION_NEEDED,
    "await_observation": CaseState.OBSERVING,
    "await_support": CaseState.SUPPORT,
    "await_restoration": CaseState.RESTORATION,
    "approve": CaseState.PAYING,
    "deny": CaseState.DENIED,
}


def awaits_appeal(case: Case) -> bool:
    """Whether an appeal is open. Only the decision of another agent ends it (RF 6)."""
    return case.appealed_at is not None and case.appeal_answered_at is None


def is_revoking(case: Case) -> bool:
    """Whether the profile is being revoked. Cases of release 1.0 have only the moment of the cancellation."""
    return case.revocation_asked_at is not None or case.cancellation_accepted_at is not None


def case_state(case: Case, refund: RefundOutcome) -> CaseState:
    """The state of a case. The first condition that holds determines it.

    A settled refund settles the case, even where an earlier attempt failed.
    """
    paying = case.refund_id is not None
    conditions = (
        (refund.settled_at is not None, CaseState.SETTLED),
        (case.closed_as == "superseded", CaseState.SUPERSEDED),
        (paying and refund.failed_at is not None, CaseState.NEEDS_PERSON),
        (paying, CaseState.PAYING),
        (awaits_appeal(case), CaseState.APPEALED),
        (case.person_since is not None and case.closed_at is None, CaseState.NEEDS_PERSON),
        (is_revoking(case) and case.closed_at is None, CaseState.REVOKING),
    )
    otherwise = _BY_VERDICT.get(case.verdict or "", CaseState.NEEDS_PERSON)
    return next((state for holds, state in conditions if holds), otherwise)
