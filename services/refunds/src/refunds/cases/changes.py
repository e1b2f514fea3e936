"""What changes about some orders' cases in one transaction, and what follows from every change of a case."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from refunds.cases.metrics import CaseMetrics
from refunds.cases.models.case import Case, WhyPerson
from refunds.cases.store.cases import Audit
from refunds.policy.rules.order_policies import OrderPolicies
from shared.contracts import Event
from shared.database import Tx
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
#: The kind of due work that has a case decided again.
CASE_DUE = "case_due"
#: Who decides where no person does: the policy.
SYSTEM = "system"


@dataclass(slots=True, frozen=True)
class Patience:
    """How long an operator may take. `asking`: until it is asked again; `observation`: until a person has to act."""

    observation: timedelta
    asking: timedelta
    by_storefront: Mapping[str, timedelta] = field(default_factory=dict)

    def of(self, storefront: str) -> timedelta:
        """Until a person has to act, in this storefront."""
        return self.by_storefront.get(storefront, self.observation)


@dataclass(slots=True)
class CaseChanges:
    """The transaction, its rules, and what has changed so far; whoever made it writes `changed` and `decided`."""

    tx: Tx
    audit: Audit
    policies: OrderPolicies
    metrics: CaseMetrics
    patience: Patience
    #: By order: the trace that its events continue.
    traces: Mapping[UUID, str | None]
    changed: list[Case] = field(default_factory=list)
    #: Rows of `decisions`.
    decided: list[dict[str, Any]] = field(default_factory=list)

    def publish(self, event: Event, case: Case) -> None:
        self.tx.publish(event, trace=self.traces.get(case.order_id) or case.trace)

    def wake(self, case: Case, at: datetime) -> None:
        """Have the case decided again at that time, where it has not passed."""
        if at > self.tx.now:
            key = f"{case.case_id}/{at.astimezone(UTC).isoformat()}"
            self.tx.schedule(CASE_DUE, key, {"order_id": str(case.order_id)}, due_at=at, trace=case.trace)

    def set_person(self, case: Case, why: WhyPerson | None, storefront: str) -> None:
        """A person has to act from now on, or no longer has to."""
        if case.person_why == why:
            return
        case.person_why, case.person_since = why, None if why is None else self.tx.now
        if why is not None:
            log.warning("case_needs_person", case_id=str(case.case_id), storefront=storefront, why=str(why))
            self.audit.add("needs_person", case, by=SYSTEM, why=str(why))

    def supersede(self, case: Case) -> None:
        """The money has gone back, or goes back, by another case of this order."""
        self.audit.add("superseded", case, by=SYSTEM)
        self.close(case, "superseded")

    def close(self, case: Case, how: str) -> None:
        case.closed_at, case.closed_as = self.tx.now, how
        case.due_at = case.due_kind = None
