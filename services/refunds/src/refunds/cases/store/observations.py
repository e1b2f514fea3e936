"""Stores what the operator reports about a profile. The result does not depend on the order of the reports."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from refunds.tables import observations
from shared.contracts import ProfileObserved
from shared.database import Tx

#: Keeps the earliest moments, the latest observation, the highest data use, and the state and source of the newest
#: report. Of two reports with the same time the greater values win, so that either order has the same result.
_MERGE = """
ON CONFLICT (order_id) DO UPDATE SET
  downloaded_at = LEAST(observations.downloaded_at, EXCLUDED.downloaded_at),
  installed_at = LEAST(observations.installed_at, EXCLUDED.installed_at),
  activated_at = LEAST(observations.activated_at, EXCLUDED.activated_at),
  deleted_at = LEAST(observations.deleted_at, EXCLUDED.deleted_at),
  plan_ends_at = GREATEST(observations.plan_ends_at, EXCLUDED.plan_ends_at),
  used_bytes = GREATEST(observations.used_bytes, EXCLUDED.used_bytes),
  total_bytes = GREATEST(observations.total_bytes, EXCLUDED.total_bytes),
  asked_at = GREATEST(observations.asked_at, EXCLUDED.asked_at),
  observed_at = GREATEST(observations.observed_at, EXCLUDED.observed_at),
  unreached_at = GREATEST(observations.unreached_at, EXCLUDED.unreached_at),
  (install_observed_at, install_state, install_source) = (
    SELECT at, state, source
    FROM (VALUES (observations.install_observed_at, observations.install_state, observations.install_source),
                 (EXCLUDED.install_observed_at, EXCLUDED.install_state, EXCLUDED.install_source)) v(at, state, source)
    ORDER BY at DESC NULLS LAST, state DESC, source DESC NULLS LAST LIMIT 1),
  (usage_observed_at, usage_source) = (
    SELECT at, source
    FROM (VALUES (observations.usage_observed_at, observations.usage_source),
                 (EXCLUDED.usage_observed_at, EXCLUDED.usage_source)) v(at, source)
    ORDER BY at DESC NULLS LAST, source DESC NULLS LAST LIMIT 1)
"""
#: Install states after which the code cannot be used again.
_TAKEN = ("downloaded", "installed", "enabled", "disabled", "deleted")
_EARLIEST = ("downloaded_at", "installed_at", "activated_at", "deleted_at")
_GREATEST = ("plan_ends_at", "used_bytes", "total_bytes", "asked_at", "observed_at", "unreached_at")
#: Columns that come from one report together; the first is its time.
_TOGETHER: tuple[tuple[str, ...], ...] = (
    ("install_observed_at", "install_state", "install_source"),
    ("usage_observed_at", "usage_source"),
)


async def merge(tx: Tx, events: Iterable[ProfileObserved]) -> None:
    """Merge these reports into the stored observations."""
    rows: dict[UUID, dict[str, Any]] = {}
    for event in events:
        row = observation_row(event)
        earlier = rows.get(event.order_id)
        rows[event.order_id] = row if earlier is None else merged(earlier, row)
    await tx.insert(observations, [rows[order] for order in sorted(rows, key=_as_number)], on_conflict=_MERGE)


def observation_row(event: ProfileObserved) -> dict[str, Any]:
    """The columns of `observations` that one report fills."""
    install, usage = event.install, event.usage
    install_at = _reported_at(install.observed_at, event)
    return {
        "order_id": event.order_id,
        "install_state": install.state,
        "install_source": install.source,
        "install_observed_at": install_at,
        "used_bytes": usage.used_bytes,
        "total_bytes": usage.total_bytes,
        "usage_source": usage.source,
        "usage_observed_at": _reported_at(usage.observed_at, event),
        # A sign of use is kept, whatever later reports say.
        "downloaded_at": event.downloaded_at or (install_at or event.observed_at if install.state in _TAKEN else None),
        "installed_at": event.installed_at,
        "activated_at": event.activated_at,
        "deleted_at": event.deleted_at,
        "plan_ends_at": event.plan_ends_at,
        "asked_at": event.observed_at if event.reached and event.case_id is not None else None,
        "observed_at": event.observed_at if event.reached else None,
        "unreached_at": None if event.reached else event.observed_at,
    }


def _reported_at(at: datetime | None, event: ProfileObserved) -> datetime | None:
    """The time that the source gives, but never later than the event, whatever the clock of the source says.

    None where the operator could not be reached: the event then repeats an old report, which proves no absence of use.
    """
    return None if at is None or not event.reached else min(at, event.observed_at)


def merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Two rows of one batch, merged as `_MERGE` does it in the database."""
    row = dict(one)
    for names, choose in ((_EARLIEST, min), (_GREATEST, max)):
        for name in names:
            values = [value for value in (one[name], other[name]) if value is not None]
            row[name] = choose(values, default=None)
    for columns in _TOGETHER:
        newest = max(one, other, key=lambda row: [(row[name] is not None, row[name] or "") for name in columns])
        row |= {name: newest[name] for name in columns}
    return row


def _as_number(order_id: UUID) -> int:
    return order_id.int
