"""Orders and their cases out of the tables and back, each over a whole set."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any
from uuid import UUID

from refunds.cases.models.case import Case, Outcome, Revocation
from refunds.cases.models.file import CaseFile, Order
from refunds.tables import audit, cases
from shared.database import Tx
from shared.ids import uuid7

_COLUMNS = tuple(one.name for one in fields(Case))
_UPSERT = "ON CONFLICT (case_id) DO UPDATE SET " + ", ".join(
    f"{name} = EXCLUDED.{name}" for name in _COLUMNS if name != "case_id"
)
_BUSY = """
SELECT DISTINCT order_id FROM cases WHERE order_id = ANY(CAST(:orders AS uuid[])) AND closed_at IS NULL
"""
#: The lock of an order; taken before anything about it is read, in one order for everybody.
_LOCK = "SELECT 1 FROM order_facts WHERE order_id = ANY(CAST(:orders AS uuid[])) ORDER BY order_id FOR UPDATE"
_ORDERS = """
SELECT f.*, o.install_state, o.install_source, o.install_observed_at, o.used_bytes, o.total_bytes, o.usage_source,
  o.usage_observed_at, o.downloaded_at, o.installed_at, o.activated_at, o.deleted_at, o.plan_ends_at, o.asked_at,
  o.observed_at, o.unreached_at
FROM order_facts f LEFT JOIN observations o USING (order_id) WHERE f.order_id = ANY(CAST(:orders AS uuid[]))
"""
_CHARGES = "SELECT * FROM charges WHERE order_id = ANY(CAST(:orders AS uuid[])) ORDER BY captured_at, charge_id"
#: A refund that is tried again is under way (`r`: its row of `refund_outcomes`).
FAILED = "CASE WHEN r.retried_attempt > COALESCE(r.failed_attempt, 1) THEN NULL ELSE r.failed_at END"
_CASES = f"""
SELECT {", ".join(f"c.{name}" for name in _COLUMNS)}, r.settled_at AS out_settled, {FAILED} AS out_failed,
  r.failure AS out_failure, v.revoked_at AS rev_revoked, v.refused_at AS rev_refused, v.in_use AS rev_in_use
FROM cases c LEFT JOIN refund_outcomes r ON r.refund_id = c.refund_id LEFT JOIN revocations v ON v.case_id = c.case_id
WHERE c.order_id = ANY(CAST(:orders AS uuid[])) ORDER BY c.requested_at, c.case_id
"""


async def busy(tx: Tx, orders: Iterable[UUID]) -> list[UUID]:
    """Those of the orders that have open cases."""
    return (await tx.execute(_BUSY, orders=sorted(orders))).scalars()


async def lock(tx: Tx, orders: Iterable[UUID]) -> None:
    """Hold these orders until the commit."""
    await tx.execute(_LOCK, orders=sorted(orders))


async def load(tx: Tx, orders: Sequence[UUID]) -> dict[UUID, CaseFile]:
    """The files of these orders; unknown ones are left out."""
    ids = sorted(orders)
    found: dict[UUID, CaseFile] = {}
    charges: dict[UUID, list[Any]] = {}
    for charge in await tx.execute(_CHARGES, orders=ids):
        charges.setdefault(charge.order_id, []).append(charge)
    for row in await tx.execute(_ORDERS, orders=ids):
        found[row.order_id] = CaseFile(Order(row, charges.get(row.order_id, ())), approved_minor=row.approved_minor)
    for row in await tx.execute(_CASES, orders=ids):
        file = found.get(row.order_id)
        if file is None:
            continue
        file.cases.append(case_of(row))
        file.outcomes[row.case_id] = Outcome(row.out_settled, row.out_failed, row.out_failure)
        file.revocations[row.case_id] = Revocation(row.rev_revoked, row.rev_refused, row.rev_in_use)
    return found


def case_of(row: Any) -> Case:
    """A case out of a row with all its columns."""
    return Case(**{name: getattr(row, name) for name in _COLUMNS})


async def save(tx: Tx, changed: Sequence[Case]) -> None:
    """Write cases back, new ones too."""
    ordered = sorted(
        {case.case_id: case for case in changed}.values(), key=lambda case: (case.order_id.int, case.case_id.int)
    )
    await tx.insert(cases, [asdict(case) for case in ordered], on_conflict=_UPSERT)


@dataclass(slots=True)
class Audit:
    """Entries that a transaction adds to the audit trail: who did what, on which facts. No personal data."""

    tx: Tx
    who: str
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(
        self, what: str, case: Case | None = None, *, order_id: UUID | None = None, by: str | None = None, **detail: Any
    ) -> None:
        """One entry; `by` names somebody else than who acts in this transaction."""
        self.rows.append(
            {
                "entry_id": uuid7(),
                "case_id": None if case is None else case.case_id,
                "order_id": order_id if case is None else case.order_id,
                "at": self.tx.now,
                "who": by or self.who,
                "what": what,
                "detail": detail,
            }
        )

    async def write(self) -> None:
        await self.tx.insert(audit, self.rows, on_conflict="")
        self.rows = []
