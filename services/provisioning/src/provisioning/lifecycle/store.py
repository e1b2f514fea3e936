"""SQL of the lifecycle; each statement handles a whole set."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from provisioning.generation.models import GeneratedProfile
from provisioning.lifecycle.models.cases import BegunCase, InquiryTimes, RevocationSettlement
from provisioning.lifecycle.models.knowledge import Known
from provisioning.lifecycle.models.notices import PublishedThreshold
from provisioning.lifecycle.models.profile import DueProfile, IssuedProfile, QueryCourse
from provisioning.lifecycle.rules.polling import next_query_at
from provisioning.tables import inquiries, lives, observations, revocations
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
       l.trace, l.thresholds, l.announced_end, l.announced_for, l.extended_at, l.refunded_at
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
_SAVE_THRESHOLDS = """
UPDATE lives l SET thresholds = r.thresholds
FROM unnest(CAST(:ids AS uuid[]), CAST(:thresholds AS jsonb[])) AS r(order_id, thresholds)
WHERE l.order_id = r.order_id
"""
_ANNOUNCED = """
UPDATE lives l SET announced_end = r.ends_at, announced_for = r.reason
FROM unnest(CAST(:ids AS uuid[]), CAST(:ends AS timestamptz[]), CAST(:reasons AS text[]))
     AS r(order_id, ends_at, reason)
WHERE l.order_id = r.order_id
"""
_REFUNDED = """
UPDATE lives l SET refunded_at = COALESCE(l.refunded_at, r.at)
FROM unnest(CAST(:ids AS uuid[]), CAST(:moments AS timestamptz[])) AS r(order_id, at)
WHERE l.order_id = r.order_id
"""
_SEEN = "SELECT id FROM observations WHERE id = ANY(CAST(:ids AS uuid[]))"
#: Reports that operators sent and that are stored already, up to a limit. `lives` is locked for those of a profile.
_OF_PROFILE = """
SELECT count(*) FROM (SELECT 1 FROM observations WHERE order_id = :order_id AND received_at > :since LIMIT :most) n
"""
_OF_NO_PROFILE = """
SELECT count(*) FROM (SELECT 1 FROM observations
  WHERE operator = :operator AND order_id IS NULL AND received_at > :since LIMIT :most) n
"""
_LOCK_NO_PROFILE = "SELECT pg_advisory_xact_lock(hashtextextended('reports ' || CAST(:operator AS text), 0))"
_DUE = """
WITH due AS (
  SELECT l.order_id, p.operator FROM lives l JOIN profiles p USING (order_id)
  WHERE l.look_at <= :now AND p.operator = ANY(CAST(:operators AS text[]))
  ORDER BY l.look_at LIMIT :most FOR UPDATE OF l SKIP LOCKED)
UPDATE lives l SET look_at = NULL FROM due WHERE l.order_id = due.order_id
RETURNING l.order_id, due.operator, l.trace
"""
_EXPIRE = """
UPDATE lives l SET expired_at = :now, expired_for = r.reason, look_at = NULL
FROM unnest(CAST(:ids AS uuid[]), CAST(:reasons AS text[])) AS r(order_id, reason)
WHERE l.order_id = r.order_id AND l.expired_at IS NULL AND l.revoked_at IS NULL RETURNING l.order_id
"""
_REVOKE = """
UPDATE lives l SET revoked_at = :now, revoked_for = r.reason, look_at = NULL
FROM unnest(CAST(:ids AS uuid[]), CAST(:reasons AS text[])) AS r(order_id, reason)
WHERE l.order_id = r.order_id AND l.revoked_at IS NULL
"""
_QUERY_SOON = "UPDATE lives SET look_at = :now WHERE order_id = ANY(CAST(:ids AS uuid[])) AND look_at IS NOT NULL"
_DISPUTED = """
UPDATE lives SET disputed_at = GREATEST(disputed_at, :now) WHERE order_id = ANY(CAST(:ids AS uuid[]))
"""
#: The case has its answer and requests the state again, later than that: the answer may be too old to decide on.
_ASK_AGAIN = """
UPDATE inquiries i SET asked_at = :now, begun_at = NULL, unreached_at = NULL, answered_at = NULL
FROM unnest(CAST(:cases AS uuid[]), CAST(:moments AS timestamptz[])) AS again(case_id, requested_at)
WHERE i.case_id = again.case_id AND i.answered_at < again.requested_at
"""
_BEGIN_INQUIRIES = """
UPDATE inquiries SET begun_at = :now WHERE order_id = ANY(CAST(:ids AS uuid[])) AND begun_at IS NULL
RETURNING case_id, order_id, trace
"""
_BEGIN_REVOCATIONS = """
UPDATE revocations SET begun_at = :now WHERE order_id = ANY(CAST(:ids AS uuid[])) AND begun_at IS NULL
RETURNING case_id, order_id, trace
"""
_INQUIRY = "SELECT asked_at, unreached_at FROM inquiries WHERE case_id = :case_id"
_UNREACHED = """
UPDATE inquiries SET unreached_at = :now
WHERE case_id = :case_id AND unreached_at IS NULL AND answered_at IS NULL RETURNING case_id
"""
_ANSWERED = """
UPDATE inquiries SET answered_at = :now WHERE case_id = ANY(CAST(:ids AS uuid[])) AND answered_at IS NULL
RETURNING case_id
"""
_REASONS = "SELECT case_id, reason FROM revocations WHERE case_id = ANY(CAST(:ids AS uuid[]))"
_SETTLE = """
UPDATE revocations v SET settled_at = :now, outcome = r.outcome, detail = r.detail
FROM unnest(CAST(:ids AS uuid[]), CAST(:outcomes AS text[]), CAST(:details AS text[])) AS r(case_id, outcome, detail)
WHERE v.case_id = r.case_id AND v.settled_at IS NULL RETURNING v.case_id
"""


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


async def save_thresholds(tx: Tx, changed: Mapping[UUID, Sequence[PublishedThreshold]]) -> None:
    """Store which thresholds of used data were published."""
    ids = sorted(changed, key=lambda one: one.int)
    if ids:
        thresholds = [json.dumps([one.model_dump() for one in changed[order_id]]) for order_id in ids]
        await tx.execute(_SAVE_THRESHOLDS, ids=ids, thresholds=thresholds)


async def save_announcements(tx: Tx, profiles: Iterable[IssuedProfile]) -> None:
    """Store which ends were announced."""
    announced = sorted(profiles, key=lambda profile: profile.order_id.int)
    if announced:
        ids = [profile.order_id for profile in announced]
        ends, reasons = [one.announced_end for one in announced], [one.announced_for for one in announced]
        await tx.execute(_ANNOUNCED, ids=ids, ends=ends, reasons=reasons)


async def mark_refunded(tx: Tx, moments: Mapping[UUID, datetime]) -> None:
    """Store when refunds of these orders were approved; the first time stays."""
    ids = sorted(moments, key=lambda one: one.int)
    if ids:
        await tx.execute(_REFUNDED, ids=ids, moments=[moments[order_id] for order_id in ids])


async def seen(tx: Tx, ids: Iterable[UUID]) -> set[UUID]:
    """Which of these observations are stored already."""
    wanted = sorted(set(ids), key=lambda one: one.int)
    return set((await tx.execute(_SEEN, ids=wanted)).scalars()) if wanted else set()


async def observe(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert observations; one that is stored already stays as it is."""
    await tx.insert(observations, sorted(rows, key=lambda row: row["id"].int))


async def count_reports(tx: Tx, operator: str, order_id: UUID | None, since: datetime, most: int) -> int:
    """How many observations are stored since then, at most `most`: of one profile, or of an operator's unknown ones.

    Concurrent transactions that count the same wait for each other until the commit.
    """
    if order_id is not None:
        return int((await tx.execute(_OF_PROFILE, order_id=order_id, since=since, most=most)).scalar())
    await tx.execute(_LOCK_NO_PROFILE, operator=operator)
    return int((await tx.execute(_OF_NO_PROFILE, operator=operator, since=since, most=most)).scalar())


async def take_due(tx: Tx, operators: Sequence[str], most: int) -> list[DueProfile]:
    """Profiles of these operators whose query is due; none of them is due any more."""
    rows = await tx.execute(_DUE, now=tx.now, most=most, operators=list(operators))
    return [DueProfile(row.order_id, row.operator, row.trace) for row in rows]


async def expire(tx: Tx, reasons: Mapping[UUID, str]) -> list[UUID]:
    """Expire profiles, each for its reason; returns those that had not ended before."""
    ids = sorted(reasons, key=lambda order_id: order_id.int)
    expired = await tx.execute(_EXPIRE, now=tx.now, ids=ids, reasons=[reasons[order_id] for order_id in ids])
    return list(expired.scalars())


async def mark_revoked(tx: Tx, reasons: Mapping[UUID, str]) -> None:
    """Store that profiles are revoked, each for its reason."""
    ids = sorted(reasons, key=lambda order_id: order_id.int)
    await tx.execute(_REVOKE, now=tx.now, ids=ids, reasons=[reasons[order_id] for order_id in ids])


async def query_soon(tx: Tx, order_ids: Iterable[UUID]) -> None:
    """Make the next query of these profiles due now, where there is a next one."""
    await tx.execute(_QUERY_SOON, now=tx.now, ids=sorted(order_ids))


async def add_inquiries(tx: Tx, rows: Sequence[Mapping[str, Any]], requested_at: Mapping[UUID, datetime]) -> None:
    """Insert cases that request the state; reopen one that requests it later (`requested_at`) than it was answered."""
    await tx.insert(inquiries, _by_case(rows))
    await tx.execute(_ASK_AGAIN, now=tx.now, cases=list(requested_at), moments=list(requested_at.values()))


async def add_revocations(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert cases that revoke the profile; one that is stored already stays as it is."""
    await tx.insert(revocations, _by_case(rows))


async def mark_disputed(tx: Tx, order_ids: Sequence[UUID]) -> None:
    """Store that a case is open about these profiles, which are therefore queried more often."""
    await tx.execute(_DISPUTED, now=tx.now, ids=list(order_ids))


async def begin_inquiries(tx: Tx, order_ids: Sequence[UUID]) -> list[BegunCase]:
    """Begin the inquiries about these profiles; returns those that had not begun before."""
    return _begun(await tx.execute(_BEGIN_INQUIRIES, now=tx.now, ids=list(order_ids)))


async def begin_revocations(tx: Tx, order_ids: Sequence[UUID]) -> list[BegunCase]:
    """Begin the revocations of these profiles; returns those that had not begun before."""
    return _begun(await tx.execute(_BEGIN_REVOCATIONS, now=tx.now, ids=list(order_ids)))


async def inquiry_times(tx: Tx, case_id: UUID) -> InquiryTimes:
    """The times of one inquiry, which is stored."""
    row = (await tx.execute(_INQUIRY, case_id=case_id)).one()
    return InquiryTimes(row.asked_at, row.unreached_at)


async def mark_unreached(tx: Tx, case_id: UUID) -> bool:
    """Store that the case is answered without the operator; False where it has had an answer."""
    return (await tx.execute(_UNREACHED, now=tx.now, case_id=case_id)).first() is not None


async def mark_answered(tx: Tx, case_ids: Iterable[UUID]) -> set[UUID]:
    """Store that the cases have their answers; returns those that had none before."""
    return set((await tx.execute(_ANSWERED, now=tx.now, ids=sorted(case_ids))).scalars())


async def revocation_reasons(tx: Tx, case_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Why each of these cases revokes its profile."""
    return {row.case_id: row.reason for row in await tx.execute(_REASONS, ids=list(case_ids))}


async def settle_revocations(tx: Tx, settlements: Sequence[RevocationSettlement]) -> set[UUID]:
    """Store how revocations ended; returns the cases whose revocation had not ended before."""
    settled = await tx.execute(
        _SETTLE,
        now=tx.now,
        ids=[settlement.case_id for settlement in settlements],
        outcomes=[settlement.outcome for settlement in settlements],
        details=[settlement.detail for settlement in settlements],
    )
    return set(settled.scalars())


def _begun(rows: Iterable[Any]) -> list[BegunCase]:
    return [BegunCase(row.case_id, row.order_id, row.trace) for row in rows]


def _by_case(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(rows, key=lambda row: row["case_id"].int)


def _profile(row: Any) -> IssuedProfile:
    fields = row._asdict()
    known, thresholds = fields["known"], fields["thresholds"]
    return IssuedProfile(
        **fields
        | {
            "plan": Plan.model_validate(fields["plan"]),
            "known": Known.model_validate(json.loads(known) if isinstance(known, str) else known),
            "thresholds": tuple(
                PublishedThreshold.model_validate(one)
                for one in (json.loads(thresholds) if isinstance(thresholds, str) else thresholds)
            ),
        }
    )
