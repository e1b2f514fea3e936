"""Every statement about profiles' lives, each over a whole set."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from provisioning.clients.models import ProfileRef
from provisioning.generation.publishing import GeneratedProfile
from provisioning.lifecycle.models.knowledge import Facts, Known
from provisioning.lifecycle.rules.polling import QueryCourse, next_query_at
from provisioning.tables import lives, observations
from shared.contracts import Plan
from shared.database import Tx

#: Whoever asked before the profile was made has set `asked_at`: the row itself is the lock between the two.
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


@dataclass(frozen=True, slots=True)
class IssuedProfile:
    """A profile that was made, and all that is known of it."""

    order_id: UUID
    order_number: str
    storefront: str
    buyer_id: UUID
    plan: Plan
    operator: str
    profile_type: str
    iccid: str
    matching_id: str | None
    paid_at: datetime
    generated_at: datetime
    valid_until: datetime
    known: Known
    extra_days: int
    extra_bytes: int
    disputed_at: datetime | None
    looked_at: datetime | None
    look_at: datetime | None
    revoked_at: datetime | None
    revoked_for: str | None
    expired_at: datetime | None
    expired_for: str | None
    devices_erased_at: datetime | None
    trace: str | None

    @property
    def facts(self) -> Facts:
        """Install state and usage as they count."""
        return self.known.facts

    @property
    def validity_days(self) -> int:
        """Of the plan and its top-ups."""
        return self.plan.validity_days + self.extra_days

    @property
    def plan_ends_at(self) -> datetime | None:
        """When the plan ends; None while it does not run."""
        return self.facts.plan_ends_at(self.validity_days)

    def ended(self) -> str | None:
        """Why nothing more can happen to it, in words for people; None while it lives."""
        if self.revoked_at:
            return "it was revoked"
        if self.expired_at:
            return "it has expired"
        return "it was deleted from its device" if self.facts.deleted_at else None

    def course(self, known: Known | None = None, *, observable: bool = True) -> QueryCourse:
        """What the schedule of looks depends on. A deleted profile has ended: nobody is asked about it again."""
        facts = (known or self.known).facts
        return QueryCourse(
            key=str(self.order_id),
            generated_at=self.generated_at,
            valid_until=self.valid_until,
            activated_at=facts.activated_at,
            plan_ends_at=facts.plan_ends_at(self.validity_days),
            disputed_at=self.disputed_at,
            ended=bool(self.revoked_at or self.expired_at or facts.deleted_at),
            observable=observable,
        )

    def ref(self, *, uncertain: bool = False) -> ProfileRef:
        """The profile as its operator knows it; its code may be in somebody's hands."""
        return ProfileRef(
            self.order_number, self.profile_type, self.iccid, self.matching_id, delivered=True, uncertain=uncertain
        )

    def subject(self) -> dict[str, Any]:
        """The fields that every fact about this profile carries."""
        return {
            "order_id": self.order_id,
            "order_number": self.order_number,
            "storefront": self.storefront,
            "buyer_id": self.buyer_id,
            "iccid": self.iccid,
        }


async def begin(tx: Tx, born: Sequence[GeneratedProfile]) -> list[UUID]:
    """Begin these lives; returns those about which somebody asked before. In one statement, whatever their number."""
    rows = [
        {
            "order_id": one.order_id,
            "generated_at": one.generated_at,
            "valid_until": one.valid_until,
            "look_at": next_query_at(QueryCourse(str(one.order_id), one.generated_at, one.valid_until), tx.now),
            "trace": one.trace,
        }
        for one in sorted(born, key=lambda one: one.order_id.int)
    ]
    made = await tx.insert(lives, rows, on_conflict=_BEGIN, returning="order_id, asked_at")
    return [row.order_id for row in made if row.asked_at is not None]


async def ask(tx: Tx, order_ids: Iterable[UUID]) -> None:
    """Note that somebody waits for these profiles, made or not; their rows stay locked."""
    rows = [{"order_id": order_id, "asked_at": tx.now} for order_id in sorted(set(order_ids), key=lambda one: one.int)]
    await tx.insert(lives, rows, on_conflict=_ASK)


async def issued_profiles(tx: Tx, order_ids: Iterable[UUID], *, lock: bool = False) -> dict[UUID, IssuedProfile]:
    """The lives that have begun, by order."""
    ids = sorted(set(order_ids), key=lambda one: one.int)
    if not ids:
        return {}
    found = await tx.execute(_BY_ORDER + (_LOCK if lock else ""), ids=ids)
    return {row.order_id: _life(row) for row in found}


async def issued_profiles_by_iccid(tx: Tx, iccids: Iterable[str], *, lock: bool = False) -> dict[str, IssuedProfile]:
    """The lives that have begun, by ICCID."""
    wanted = sorted(set(iccids))
    if not wanted:
        return {}
    return {row.iccid: _life(row) for row in await tx.execute(_BY_ICCID + (_LOCK if lock else ""), iccids=wanted)}


async def save(tx: Tx, changed: Mapping[UUID, tuple[Known, datetime | None, datetime | None]]) -> None:
    """Write what is known, when to look again, and when somebody looked last (None: nobody did now)."""
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
    """Which of these observations were made before."""
    wanted = sorted(set(ids), key=lambda one: one.int)
    return set((await tx.execute(_SEEN, ids=wanted)).scalars()) if wanted else set()


async def observe(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add observations; one that is there already stays as it is."""
    await tx.insert(observations, sorted(rows, key=lambda row: row["id"].int))


def _life(row: Any) -> IssuedProfile:
    fields = row._asdict()
    known = fields["known"]
    return IssuedProfile(
        **fields
        | {
            "plan": Plan.model_validate(fields["plan"]),
            "known": Known.model_validate(json.loads(known) if isinstance(known, str) else known),
        }
    )
