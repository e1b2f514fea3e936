"""What changes about the cases of some orders in one transaction."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from refunds.cases.metrics import CaseMetrics
from refunds.cases.models.case import Case, WhyPerson
from refunds.cases.models.patience import Patience
from refunds.cases.models.payloads import CaseDuePayload
from refunds.cases.store.audit import Audit
from refunds.cases.store.cases import save
from refunds.policy import OrderPolicies
from refunds.tables import decisions
from shared.contracts import Event
from shared.database import Tx
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
#: The kind of the task that decides the cases of an order again.
CASE_DUE = "case_due"
#: Who decides where no person does: the policy.
SYSTEM = "system"


@dataclass(slots=True, frozen=True)
class CaseContext:
    """What a decision needs besides the transaction."""

    policies: OrderPolicies
    metrics: CaseMetrics
    patience: Patience


@dataclass(slots=True)
class CaseChanges:
    """Collects what one transaction changes; `case_changes` writes it at the end."""

    tx: Tx
    audit: Audit
    context: CaseContext
    #: The traceparent that the events of an order continue, by order.
    traces: Mapping[UUID, str | None]
    changed: list[Case] = field(default_factory=list)
    #: Rows of `decisions`.
    decided: list[dict[str, Any]] = field(default_factory=list)

    @property
    def policies(self) -> OrderPolicies:
        return self.context.policies

    @property
    def metrics(self) -> CaseMetrics:
        return self.context.metrics

    @property
    def patience(self) -> Patience:
        return self.context.patience

    def publish(self, event: Event, case: Case) -> None:
        """Publish an event of the case when the transaction commits."""
        self.tx.publish(event, trace=self.traces.get(case.order_id) or case.trace)

    def decide_again_at(self, case: Case, at: datetime) -> None:
        """Schedule the next decision of the case. A moment that has passed needs none."""
        if at > self.tx.now:
            key = f"{case.case_id}/{at.astimezone(UTC).isoformat()}"
            self.tx.schedule(CASE_DUE, key, CaseDuePayload(order_id=case.order_id), due_at=at, trace=case.trace)

    def set_person(self, case: Case, why: WhyPerson | None, storefront: str) -> None:
        """Record that a person has to act from now on (`why`), or no longer has to (None)."""
        if case.person_why == why:
            return
        case.person_why, case.person_since = why, None if why is None else self.tx.now
        if why is not None:
            log.warning("case_needs_person", case_id=str(case.case_id), storefront=storefront, why=str(why))
            self.audit.add("needs_person", case, by=SYSTEM, why=str(why))

    def supersede(self, case: Case) -> None:
        """Close the case because another case of the order returns, or has returned, the money."""
        self.audit.add("superseded", case, by=SYSTEM)
        self.close(case, "superseded")

    def close(self, case: Case, how: str) -> None:
        """Close the case. `how`: denied | settled | superseded."""
        case.closed_at, case.closed_as = self.tx.now, how
        case.due_at = case.due_kind = None


@asynccontextmanager
async def case_changes(
    tx: Tx, context: CaseContext, who: str, traces: Mapping[UUID, str | None]
) -> AsyncIterator[CaseChanges]:
    """Collect changes in the block, and write cases, decisions and audit entries at its end."""
    changes = CaseChanges(tx, Audit(tx, who), context, traces)
    yield changes
    await save(tx, changes.changed)
    await tx.insert(decisions, changes.decided, on_conflict="")
    await changes.audit.write()
