"""SQL: the invariants with what their last evaluation found."""

from collections.abc import Sequence
from typing import Any

from operations.invariants.models import InvariantDetail, InvariantView, Overview, ViolationView
from operations.invariants.rules import ALL, Invariant
from shared.database import Tx

_SHOWN, _RESOLVED_SHOWN = 100, 20
_COUNTS = """
SELECT o.orders, o.paid, (SELECT count(*) FROM charges) AS surplus_captures, (SELECT count(*) FROM facts) AS facts
FROM (SELECT count(*) AS orders, count(paid_at) AS paid FROM orders) o
"""
_EVALUATIONS = "SELECT * FROM evaluations"
_OPEN = """
SELECT * FROM violations WHERE invariant = :name AND resolved_at IS NULL
ORDER BY since NULLS FIRST, first_seen_at, subject LIMIT :limit
"""
_RESOLVED = """
SELECT * FROM violations WHERE invariant = :name AND resolved_at IS NOT NULL ORDER BY resolved_at DESC LIMIT :limit
"""


async def overview(tx: Tx) -> Overview:
    """Counts of stored rows, and which invariants are broken."""
    views = await all_invariants(tx)
    evaluated = [view.evaluated_at for view in views]
    known = [view.as_of for view in views]
    return Overview(
        **(await tx.execute(_COUNTS)).one()._asdict(),
        invariants=len(views),
        broken=[view.name for view in views if view.violations],
        evaluated_at=min((at for at in evaluated if at), default=None) if all(evaluated) else None,
        as_of=min((at for at in known if at), default=None) if all(known) else None,
    )


async def all_invariants(tx: Tx) -> list[InvariantView]:
    """All invariants; those that were not evaluated yet too."""
    evaluated = {row.invariant: row for row in await tx.execute(_EVALUATIONS)}
    return [InvariantView(**_view(invariant, evaluated.get(invariant.name))) for invariant in ALL]


async def find_invariant(tx: Tx, name: str) -> InvariantDetail | None:
    """An invariant with its violations; None for an unknown name."""
    invariant = next((known for known in ALL if known.name == name), None)
    if invariant is None:
        return None
    evaluated = {row.invariant: row for row in await tx.execute(_EVALUATIONS)}
    return InvariantDetail(
        **_view(invariant, evaluated.get(name)),
        open=_violations((await tx.execute(_OPEN, name=name, limit=_SHOWN)).mappings()),
        resolved=_violations((await tx.execute(_RESOLVED, name=name, limit=_RESOLVED_SHOWN)).mappings()),
    )


def _violations(rows: Sequence[dict[str, Any]]) -> list[ViolationView]:
    return [ViolationView.model_validate(row) for row in rows]


def _view(invariant: Invariant, row: Any) -> dict[str, Any]:
    return {
        "name": invariant.name,
        "severity": invariant.severity,
        "title": invariant.title,
        "meaning": invariant.meaning,
        "violations": row.violations if row else None,
        "evaluated_at": row.evaluated_at if row else None,
        "as_of": row.as_of if row else None,
        "milliseconds": row.milliseconds if row else None,
    }
