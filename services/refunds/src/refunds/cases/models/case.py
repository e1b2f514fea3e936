"""A case as it stands, and its state, derived from the facts that are there."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

#: The ground of a case that the system opens when no profile can be made; also RefundRequested's reason.
GENERATION_FAILED = "generation_failed"
#: ... when the storefront's time to deliver is over (RF 2.3).
NOT_DELIVERED = "not_delivered"
#: ... when the bank took the money twice (RF 2.4); followed by the charge's id, for each surplus charge has its own.
DOUBLE_CHARGE = "double_charge"
#: The buyer gives the profile back before installing it (RC 5, 6).
CANCELLATION = "cancellation"

#: What a buyer may give as a reason.
REASONS = (
    "technical_failure",
    "changed_mind",
    "incompatible_device",
    "sim_locked",
    "deleted_profile",
    "phone_settings",
    "no_coverage",
    "slow_data",
    "not_delivered",
    "double_charge",
    "scan_error",
    "lost_code",
    "other",
)
#: What a request may carry; policies name what they require of it.
FIELDS = ("order_number", "email", "phone", "full_name", "payment_date", "reason", "evidence")


class CaseState(StrEnum):
    """Where a case stands. NEEDS_PERSON: no policy decides it, the operator does not answer (WhyPerson), or the bank
    would not return the money.
    """

    INFORMATION_NEEDED = "information_needed"
    OBSERVING = "observing"
    SUPPORT = "support"
    RESTORATION = "restoration"
    APPEALED = "appealed"
    REVOKING = "revoking"
    NEEDS_PERSON = "needs_person"
    PAYING = "paying"
    SETTLED = "settled"
    DENIED = "denied"
    SUPERSEDED = "superseded"


class WhyPerson(StrEnum):
    """Why no machine goes on with a case that no policy has decided for good."""

    #: The operator did not say within the storefront's patience whether the profile is used.
    OBSERVATION_UNANSWERED = "observation_unanswered"
    #: The operator did not say within the storefront's patience whether the profile is revoked.
    REVOCATION_UNANSWERED = "revocation_unanswered"
    #: The operator does not take the profile back, and the policy approves on the newest facts all the same.
    REVOCATION_REFUSED = "revocation_refused"


_WAITING = {
    "await_information": CaseState.INFORMATION_NEEDED,
    "await_observation": CaseState.OBSERVING,
    "await_support": CaseState.SUPPORT,
    "await_restoration": CaseState.RESTORATION,
    "approve": CaseState.PAYING,
    "deny": CaseState.DENIED,
}


@dataclass(slots=True, kw_only=True)
class Case:
    """A row of `cases`, to be changed by deciding and written back whole. Amounts in minor units."""

    case_id: UUID
    order_id: UUID
    ground: str
    origin: str
    requested_at: datetime
    verdict: str | None = None
    decided_at: datetime | None = None
    refund_id: UUID | None = None
    amount_minor: int | None = None
    currency: str | None = None
    policy: str | None = None
    grounds: list[dict[str, Any]] | None = None
    explanation: dict[str, Any] | None = None
    pay_by: datetime | None = None
    credited_by: date | None = None
    round: int = 1
    reason: str | None = None
    channel: str = "system"
    received_at: datetime | None = None
    completed_at: datetime | None = None
    provided: list[str] | None = None
    missing: list[str] | None = None
    asked_for: list[str] | None = None
    observation_asked_at: datetime | None = None
    deadlines: dict[str, Any] | None = None
    due_at: datetime | None = None
    due_kind: str | None = None
    alarmed: list[str] | None = None
    charge_id: UUID | None = None
    decided_by: str | None = None
    finding: str | None = None
    found_at: datetime | None = None
    found_by: str | None = None
    restored_at: datetime | None = None
    fair_use_violated: bool | None = None
    buyer_caused_delay: bool | None = None
    legal_rule: str | None = None
    cancellation_accepted_at: datetime | None = None
    appealed_at: datetime | None = None
    appeal_of: str | None = None
    appeal_answer_by: datetime | None = None
    appeal_answered_at: datetime | None = None
    #: Since when it waits for a report of the operator, and from which moment on a report counts.
    observing_since: datetime | None = None
    observe_after: datetime | None = None
    #: What the policy would answer if the profile were unused, and if it were used; while that is not known.
    possible: dict[str, Any] | None = None
    #: What the operator told an agent, outside its interfaces: `unused` or `used`.
    profile_finding: str | None = None
    profile_found_at: datetime | None = None
    #: The approved answer, while the profile is revoked first.
    approval: dict[str, Any] | None = None
    revocation_asked_at: datetime | None = None
    revocation_refused_at: datetime | None = None
    #: A person pays although the profile could not be taken back.
    pay_unrevoked: bool | None = None
    #: Since when a person has to act, and why (WhyPerson).
    person_since: datetime | None = None
    person_why: str | None = None
    closed_at: datetime | None = None
    closed_as: str | None = None
    trace: str | None = None


@dataclass(slots=True, frozen=True)
class Outcome:
    """What payments said about a case's refund."""

    settled_at: datetime | None = None
    failed_at: datetime | None = None
    failure: str | None = field(default=None, repr=False)


@dataclass(slots=True, frozen=True)
class Revocation:
    """What provisioning said about the profile that a case wanted taken out of use. `in_use`: it is on a device."""

    revoked_at: datetime | None = None
    refused_at: datetime | None = None
    in_use: bool | None = None


def awaits_appeal(case: Case) -> bool:
    """An appeal is open: only another agent's decision ends it (RF 6)."""
    return case.appealed_at is not None and case.appeal_answered_at is None


def is_revoking(case: Case) -> bool:
    """The profile is being taken out of use; a case of an earlier release has only the cancellation's moment."""
    return case.revocation_asked_at is not None or case.cancellation_accepted_at is not None


def case_state(case: Case, outcome: Outcome) -> CaseState:
    """Money that has gone back settles a case, even where an earlier try had failed."""
    paying = case.refund_id is not None
    first = (
        (outcome.settled_at is not None, CaseState.SETTLED),
        (case.closed_as == "superseded", CaseState.SUPERSEDED),
        (paying and outcome.failed_at is not None, CaseState.NEEDS_PERSON),
        (paying, CaseState.PAYING),
        (awaits_appeal(case), CaseState.APPEALED),
        (case.person_since is not None and case.closed_at is None, CaseState.NEEDS_PERSON),
        (is_revoking(case) and case.closed_at is None, CaseState.REVOKING),
    )
    otherwise = _WAITING.get(case.verdict or "", CaseState.NEEDS_PERSON)
    return next((state for holds, state in first if holds), otherwise)
