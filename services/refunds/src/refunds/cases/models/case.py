"""A refund case, and what payments and provisioning answered about it."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

#: The ground of a case that the system opens when no profile can be generated; also RefundRequested's reason.
GENERATION_FAILED = "generation_failed"
#: The system opens it when the storefront's time limit for delivery has passed (RF 2.3).
NOT_DELIVERED = "not_delivered"
#: The system opens it when the bank took the money twice (RF 2.4). The ground continues with `:` and the charge's id:
#: each surplus charge has a case of its own.
DOUBLE_CHARGE = "double_charge"
#: The buyer cancels the order before the profile is installed (RC 5, 6).
CANCELLATION = "cancellation"
#: The shop returns money by its own decision. The ground continues with `:` and an id of the idempotency key.
SHOP_DECISION = "shop_decision"


class CaseState(StrEnum):
    """What a case waits for, or how it ended.

    NEEDS_PERSON: there is no policy for it, the operator does not answer (WhyPerson), or the bank refused the refund.
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
    """Why a person has to act on a case that is not finally decided."""

    #: The operator did not report within the storefront's patience whether the profile is used.
    OBSERVATION_UNANSWERED = "observation_unanswered"
    #: The operator did not report within the storefront's patience whether the profile is revoked.
    REVOCATION_UNANSWERED = "revocation_unanswered"
    #: The operator refused to revoke the profile, and the policy still approves on the newest facts.
    REVOCATION_REFUSED = "revocation_refused"


#: The case waits for a person because the profile could not be revoked.
UNREVOKED = (WhyPerson.REVOCATION_UNANSWERED, WhyPerson.REVOCATION_REFUSED)


@dataclass(slots=True, kw_only=True)
class Case:
    """A row of `cases`. A decision changes it in memory, and the whole row is written back. Amounts in minor units."""

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
    #: What was reported once: deadlines that were missed, a refused refund, and that the request is registered.
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
    #: Since when the case waits for a report of the operator; reports older than `observe_after` do not count.
    observing_since: datetime | None = None
    observe_after: datetime | None = None
    #: While it is not known whether the profile is used: what the policy would decide in either case.
    possible: dict[str, Any] | None = None
    #: What the operator reported to an agent outside its interfaces: `unused` or `used`.
    profile_finding: str | None = None
    profile_found_at: datetime | None = None
    #: The approved decision, kept while the profile is being revoked.
    approval: dict[str, Any] | None = None
    revocation_asked_at: datetime | None = None
    revocation_refused_at: datetime | None = None
    #: An agent decided to pay although the profile could not be revoked.
    pay_unrevoked: bool | None = None
    #: Since when a person has to act, and why (WhyPerson).
    person_since: datetime | None = None
    person_why: str | None = None
    closed_at: datetime | None = None
    closed_as: str | None = None
    trace: str | None = None
    #: What the shop decided to return; None: a case of the policy. `shop_request`: a hash of the request.
    shop_amount_minor: int | None = None
    shop_request: str | None = None


@dataclass(slots=True, frozen=True)
class RefundOutcome:
    """What payments reported about the refund of a case."""

    settled_at: datetime | None = None
    failed_at: datetime | None = None
    failure: str | None = field(default=None, repr=False)


@dataclass(slots=True, frozen=True)
class Revocation:
    """What provisioning reported about the revocation that a case requested. `in_use`: the profile is on a device."""

    revoked_at: datetime | None = None
    refused_at: datetime | None = None
    in_use: bool | None = None
