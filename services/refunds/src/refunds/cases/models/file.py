"""An order with its facts, and the order with its cases."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from refunds.cases.models.case import Case, RefundOutcome, Revocation
from shared.contracts import Money


@dataclass(slots=True, frozen=True)
class Order:
    """An order. `row` holds the columns of `order_facts` and `observations`, `charges` the rows of surplus captures."""

    row: Any
    charges: Sequence[Any]

    @property
    def paid(self) -> Money | None:
        if self.row.paid_minor is None:
            return None
        return Money(amount=self.row.paid_minor, currency=self.row.currency)

    @property
    def has_profile(self) -> bool:
        """Whether a profile was generated, or may still be, and is not revoked."""
        return self.row.kind != "top_up" and self.row.failed_at is None and self.row.revoked_at is None

    def charge(self, case: Case) -> Any:
        """The surplus capture that the case returns, or None."""
        return next((charge for charge in self.charges if charge.charge_id == case.charge_id), None)


@dataclass(slots=True)
class CaseFile:
    """An order with all its cases, oldest first. `approved_minor` is kept by a database trigger."""

    order: Order
    cases: list[Case] = field(default_factory=list)
    refunds: dict[UUID, RefundOutcome] = field(default_factory=dict)
    revocations: dict[UUID, Revocation] = field(default_factory=dict)
    approved_minor: int = 0

    def refund(self, case: Case) -> RefundOutcome:
        """What payments reported about the refund of the case."""
        return self.refunds.get(case.case_id, RefundOutcome())

    def revocation(self, case: Case) -> Revocation:
        """What provisioning reported about the revocation that the case requested."""
        return self.revocations.get(case.case_id, Revocation())

    def case(self, case_id: UUID) -> Case | None:
        return next((case for case in self.cases if case.case_id == case_id), None)

    @property
    def left_minor(self) -> int:
        """How much of the payment can still be returned."""
        return (self.order.row.paid_minor or 0) - self.approved_minor
