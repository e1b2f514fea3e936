"""A generated profile with everything that is stored about it, and payloads of the lifecycle's tasks."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from provisioning.clients.models import ProfileRef
from provisioning.lifecycle.models.knowledge import Facts, Known
from provisioning.lifecycle.models.notices import PublishedThreshold
from shared.contracts import OrderFields, Plan, order_fields
from shared.task_payload import TaskPayload


class LifecyclePayload(TaskPayload):
    """Payload of the task `life`, which has three actions: `inquire`, `revoke` (both about a case) and `top_up`.

    `order_id` is the eSIM's order, of a top-up its own.
    """

    do: str
    order_id: UUID
    #: None for top-ups.
    case_id: UUID | None = None

    @property
    def case(self) -> UUID:
        """The case's id. Raises ValueError for a top-up."""
        if self.case_id is None:
            raise ValueError(f"a task {self.do} has no case")
        return self.case_id


class ProfileFields(OrderFields):
    """The fields of a profile that each event about it carries."""

    iccid: str


@dataclass(frozen=True, slots=True)
class QueryCourse:
    """What the schedule of queries depends on. `disputed_at`: when a refund case last requested the state."""

    key: str
    generated_at: datetime
    #: It expires then if it is never activated (RC 7).
    valid_until: datetime
    activated_at: datetime | None = None
    plan_ends_at: datetime | None = None
    disputed_at: datetime | None = None
    ended: bool = False
    #: False: the operator reports nothing on request; only expiry is scheduled.
    observable: bool = True
    #: When the end is to be announced; None: never, or it is announced already.
    announce_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DueProfile:
    """A profile whose next query is due."""

    order_id: UUID
    operator: str
    trace: str | None


@dataclass(frozen=True, slots=True)
class IssuedProfile:
    """A profile that was generated for an order, and everything that is stored about it."""

    order_id: UUID
    order_number: str
    storefront: str
    buyer_id: UUID
    plan: Plan
    operator: str
    profile_type: str
    iccid: str
    matching_id: str | None
    paid_at: datetime
    generated_at: datetime
    valid_until: datetime
    known: Known
    extra_days: int
    extra_bytes: int
    disputed_at: datetime | None
    looked_at: datetime | None
    look_at: datetime | None
    revoked_at: datetime | None
    revoked_for: str | None
    expired_at: datetime | None
    expired_for: str | None
    devices_erased_at: datetime | None
    trace: str | None
    thresholds: tuple[PublishedThreshold, ...] = ()
    #: The last end that was announced, and its reason.
    announced_end: datetime | None = None
    announced_for: str | None = None
    #: When the last top-up was applied.
    extended_at: datetime | None = None
    #: When a refund was approved.
    refunded_at: datetime | None = None

    @property
    def facts(self) -> Facts:
        """Install state and usage."""
        return self.known.facts

    @property
    def validity_days(self) -> int:
        """Validity of the plan and its top-ups."""
        return self.plan.validity_days + self.extra_days

    @property
    def plan_ends_at(self) -> datetime | None:
        """When the plan ends; None while it does not run."""
        return self.facts.plan_ends_at(self.validity_days)

    def ended(self) -> str | None:
        """Why the profile has ended, as a part of a sentence; None while it has not."""
        if self.revoked_at:
            return "it was revoked"
        if self.expired_at:
            return "it has expired"
        return "it was deleted from its device" if self.facts.deleted_at else None

    def course(
        self, known: Known | None = None, *, observable: bool = True, announce_at: datetime | None = None
    ) -> QueryCourse:
        """What the schedule of queries depends on. A deleted profile has ended: there are no more queries."""
        facts = (known or self.known).facts
        return QueryCourse(
            key=str(self.order_id),
            generated_at=self.generated_at,
            valid_until=self.valid_until,
            activated_at=facts.activated_at,
            plan_ends_at=facts.plan_ends_at(self.validity_days),
            disputed_at=self.disputed_at,
            ended=bool(self.revoked_at or self.expired_at or facts.deleted_at),
            observable=observable,
            announce_at=announce_at,
        )

    def ref(self, *, uncertain: bool = False) -> ProfileRef:
        """The profile as its operator identifies it; a buyer may have its activation code."""
        return ProfileRef(
            self.order_number, self.profile_type, self.iccid, self.matching_id, delivered=True, uncertain=uncertain
        )

    def subject(self) -> ProfileFields:
        """The fields that each event about this profile carries."""
        return {**order_fields(self), "iccid": self.iccid}
