"""SQL of the lifecycle; each statement handles a whole set."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from provisioning.generation.models import GeneratedProfile
from provisioning.lifecycle.models.knowledge import Known
from provisioning.lifecycle.models.profile import IssuedProfile, QueryCourse
from provisioning.lifecycle.rules.polling import next_query_at
from provisioning.tables import lives, observations
from shared.contracts import Plan
from shared.database import Tx

#: A case that came before the profile has set `asked_at`: the row is the lock between the two.
_BEGIN = """ON CONFLICT (order_id) DO UPDATE SET
  generated_at = COALESCE(lives.generated_at, EXCLUDED.generated_at),
  valid_until = COALESCE(lives.valid_until, EXCLUDED.valid_until),
  look_at = COALESCE(lives.look_at, EXCLUDED.look_at), trace = COALESCE(lives.trace, EXCLUDED.trace)"""
_ASK = """ON CONFLICT (order_id) DO UPDATE SET asked_at = COALESCE(lives.asked_at, EXCLUDED.asked_at)"""
_LIFE = """
SELECT l.order_id, p.order_number, p.storefront, p.buyer_id, p.plan, p.operator, p.profile_type, p.iccid, p.matching_id,
       p.paid_at, l.generated_at, l.valid_until, l.known, l.extra_days, l.extra_bytes, l.disputed_at, l.looked_at,
       l.look_at, l.revoked_at, l.revoked_for, l.expired_at, l.expired_for, l.devices_erased_at,
       l.trace
FROM lives l JOIN profiles p USING (order_id)
WHERE l.generated_at IS NOT NULL AND """
_BY_ORDER = _LIFE + "l.order_id = ANY(CAST(:ids AS uuid[])) ORDER BY l.order_id"
_BY_ICCID = _LIFE + "p.iccid = ANY(CAST(:iccids AS text[])) ORDER BY l.order_id"
_LOCK = " FOR UPDATE OF l"
_SAVE = """
UPDATE lives l SET known = r.known, look_at = r.look_at, looked_at = GREATEST(l.looked_at, r.looked_at)
FROM unnest(CAST(:ids AS uuid[]), CAST(:known AS jsonb[]), CAST(:looks AS timestamptz[]),
            CAST(:looked AS timestamptz[])) AS r(order_id, known, look_at, looked_at)
WHERE l.order_id = r.order_id
"""
_SEEN = "SELECT id FROM observations WHERE id = ANY(CAST(:ids AS uuid[]))"


async def begin(tx: Tx, generated: Sequence[GeneratedProfile]) -> list[UUID]:
    """Insert generated profiles, in one statement; returns those about which a case came before."""
    rows = [
        {
            "order_id": one.order_id,
            "generated_at": one.generated_at,
            "valid_until": one.valid_until,
            "look_at": next_query_at(QueryCourse(str(one.order_id), one.generated_at, one.valid_until), tx.now),
            "trace": one.trace,
        }
        for one in sorted(generated, key=lambda one: one.order_id.int)
    ]
    made = await tx.insert(lives, rows, on_conflict=_BEGIN, returning="order_id, asked_at")
    return [row.order_id for row in made if row.asked_at is not None]


async def await_profiles(tx: Tx, order_ids: Iterable[UUID]) -> None:
    """Store that a case waits for these profiles, generated or not; their rows stay locked."""
    rows = [{"order_id": order_id, "asked_at": tx.now} for order_id in sorted(set(order_ids), key=lambda one: one.int)]
    await tx.insert(lives, rows, on_conflict=_ASK)


async def issued_profiles(tx: Tx, order_ids: Iterable[UUID], *, lock: bool = False) -> dict[UUID, IssuedProfile]:
    """Generated profiles by order."""
    ids = sorted(set(order_ids), key=lambda one: one.int)
    if not ids:
        return {}
    rows = await tx.execute(_BY_ORDER + (_LOCK if lock else ""), ids=ids)
    return {row.order_id: _profile(row) for row in rows}


async def issued_profiles_by_iccid(tx: Tx, iccids: Iterable[str], *, lock: bool = False) -> dict[str, IssuedProfile]:
    """Generated profiles by ICCID."""
    wanted = sorted(set(iccids))
    if not wanted:
        return {}
    return {row.iccid: _profile(row) for row in await tx.execute(_BY_ICCID + (_LOCK if lock else ""), iccids=wanted)}


async def save(tx: Tx, changed: Mapping[UUID, tuple[Known, datetime | None, datetime | None]]) -> None:
    """Store what is known, when the next query is due, and when the operator was queried (None: it was not)."""
    ids = sorted(changed, key=lambda one: one.int)
    if not ids:
        return
    await tx.execute(
        _SAVE,
        ids=ids,
        known=[changed[one][0].model_dump_json(exclude_defaults=True) for one in ids],
        looks=[changed[one][1] for one in ids],
        looked=[changed[one][2] for one in ids],
    )


async def seen(tx: Tx, ids: Iterable[UUID]) -> set[UUID]:
    """Which of these observations are stored already."""
    wanted = sorted(set(ids), key=lambda one: one.int)
    return set((await tx.execute(_SEEN, ids=wanted)).scalars()) if wanted else set()


async def observe(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert observations; one that is stored already stays as it is."""
    await tx.insert(observations, sorted(rows, key=lambda row: row["id"].int))


def _profile(row: Any) -> IssuedProfile:
    fields = row._asdict()
    known = fields["known"]
    return IssuedProfile(
        **fields
        | {
            "plan": Plan.model_validate(fields["plan"]),
            "known": Known.model_validate(json.loads(known) if isinstance(known, str) else known),
        }
    )
