"""What is known of a profile's life, merged so that the order of telling does not matter."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from refunds.tables import observations
from shared.contracts import ProfileObserved
from shared.database import Tx

#: Earliest moments, the latest of observations, the most data used; words by the newest source (of one moment: the
#: greatest, so that both tellings end the same).
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
_TAKEN = ("downloaded", "installed", "enabled", "disabled", "deleted")
_EARLIEST = ("downloaded_at", "installed_at", "activated_at", "deleted_at")
_GREATEST = ("plan_ends_at", "used_bytes", "total_bytes", "asked_at", "observed_at", "unreached_at")
_WORDS: tuple[tuple[str, ...], ...] = (
    ("install_observed_at", "install_state", "install_source"),
    ("usage_observed_at", "usage_source"),
)


async def merge(tx: Tx, told: Iterable[ProfileObserved]) -> None:
    """Add what was told to what is known."""
    rows: dict[UUID, dict[str, Any]] = {}
    for event in told:
        row = _row(event)
        known = rows.get(event.order_id)
        rows[event.order_id] = row if known is None else _merged(known, row)
    await tx.insert(observations, [rows[order] for order in sorted(rows, key=_number)], on_conflict=_MERGE)


def _row(event: ProfileObserved) -> dict[str, Any]:
    install, usage = event.install, event.usage
    told_at = _told_by(install.observed_at, event)
    return {
        "order_id": event.order_id,
        "install_state": install.state,
        "install_source": install.source,
        "install_observed_at": told_at,
        "used_bytes": usage.used_bytes,
        "total_bytes": usage.total_bytes,
        "usage_source": usage.source,
        "usage_observed_at": _told_by(usage.observed_at, event),
        # A sign of use is kept, whatever is told later.
        "downloaded_at": event.downloaded_at or (told_at or event.observed_at if install.state in _TAKEN else None),
        "installed_at": event.installed_at,
        "activated_at": event.activated_at,
        "deleted_at": event.deleted_at,
        "plan_ends_at": event.plan_ends_at,
        "asked_at": event.observed_at if event.reached and event.case_id is not None else None,
        "observed_at": event.observed_at if event.reached else None,
        "unreached_at": None if event.reached else event.observed_at,
    }


def _told_by(at: datetime | None, event: ProfileObserved) -> datetime | None:
    """When the source knew it; never later than it was told, whatever the source's clock says.

    None where the operator could not be asked: what is repeated then denies nothing.
    """
    return None if at is None or not event.reached else min(at, event.observed_at)


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """The same merge as `_MERGE`, for two tellings of one batch."""
    row = dict(one)
    for names, choose in ((_EARLIEST, min), (_GREATEST, max)):
        for name in names:
            values = [value for value in (one[name], other[name]) if value is not None]
            row[name] = choose(values, default=None)
    for words in _WORDS:
        winner = max(one, other, key=lambda told: [(told[name] is not None, told[name] or "") for name in words])
        row |= {name: winner[name] for name in words}
    return row


def _number(order_id: UUID) -> int:
    return order_id.int
