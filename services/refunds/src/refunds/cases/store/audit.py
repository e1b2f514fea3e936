"""The audit trail: who did what, and when. Rows are written once and hold no personal data."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from refunds.cases.models.case import Case
from refunds.tables import audit
from shared.database import Tx
from shared.ids import uuid7


@dataclass(slots=True)
class Audit:
    """Collects the entries that a transaction adds. `who`: an account (`agent:anna`), `storefront:…` or `system`."""

    tx: Tx
    who: str
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, what: str, case: Case, *, by: str | None = None, **detail: Any) -> None:
        """Add an entry about a case. `by` names somebody other than `who`."""
        self.add_of(what, case.order_id, case.case_id, by=by, **detail)

    def add_of(
        self,
        what: str,
        order_id: UUID | None = None,
        case_id: UUID | None = None,
        *,
        by: str | None = None,
        **detail: Any,
    ) -> None:
        """Add an entry about an order, about a case that is not loaded, or about neither."""
        self.rows.append(
            {
                "entry_id": uuid7(),
                "case_id": case_id,
                "order_id": order_id,
                "at": self.tx.now,
                "who": by or self.who,
                "what": what,
                "detail": detail,
            }
        )

    async def write(self) -> None:
        """Insert the collected entries."""
        await self.tx.insert(audit, self.rows, on_conflict="")
        self.rows = []


async def write_entry(
    tx: Tx, who: str, what: str, order_id: UUID | None = None, case_id: UUID | None = None, **detail: Any
) -> None:
    """Write one entry about an order, about a case, or about neither."""
    entries = Audit(tx, who)
    entries.add_of(what, order_id, case_id, **detail)
    await entries.write()
