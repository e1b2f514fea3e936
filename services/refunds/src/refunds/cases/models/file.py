"""What is known of an order, and the order with its cases."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from refunds.cases.models.case import Case, Outcome, Revocation
from shared.contracts import Money


@dataclass(slots=True, frozen=True)
class Order:
    """What is known of an order. `row` holds the columns of `order_facts` and `observations`."""

    row: Any
    charges: Sequence[Any]

    @property
    def paid(self) -> Money | None:
        if self.row.paid_minor is None:
            return None
        return Money(amount=self.row.paid_minor, currency=self.row.currency)

    @property
    def has_profile(self) -> bool:
        """A profile was made, or may still come, and is not revoked yet."""
        return self.row.kind != "top_up" and self.row.failed_at is None and self.row.revoked_at is None

    def charge(self, case: Case) -> Any:
        """The surplus capture that the case is about, or None."""
        return next((charge for charge in self.charges if charge.charge_id == case.charge_id), None)


@dataclass(slots=True)
class CaseFile:
    """An order with all its cases, oldest first. `approved_minor` is written by a trigger."""

    order: Order
    cases: list[Case] = field(default_factory=list)
    outcomes: dict[UUID, Outcome] = field(default_factory=dict)
    revocations: dict[UUID, Revocation] = field(default_factory=dict)
    approved_minor: int = 0

    def outcome(self, case: Case) -> Outcome:
        """What payments said of the case's refund."""
        return self.outcomes.get(case.case_id, Outcome())

    def revocation(self, case: Case) -> Revocation:
        """What provisioning said of the revocation that the case asked for."""
        return self.revocations.get(case.case_id, Revocation())

    def case(self, case_id: UUID) -> Case | None:
        return next((case for case in self.cases if case.case_id == case_id), None)

    @property
    def left_minor(self) -> int:
        """What may still go back of the kept payment."""
        return (self.order.row.paid_minor or 0) - self.approved_minor
