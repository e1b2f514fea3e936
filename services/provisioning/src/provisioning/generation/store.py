"""SQL of orders: `profiles` has the operator that is tried now, `profile_orders` those that were tried before."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from provisioning.clients.models import Statuses
from provisioning.generation.models import NextOperator, ProvisionPayload, Settlement
from provisioning.operators.models import Identity
from provisioning.tables import profile_orders, profiles
from shared.contracts import OperatorStatus
from shared.database import Tx
from shared.tasks import Task

_SETTLE = """
UPDATE profiles p
SET state = r.state, statuses = COALESCE(r.statuses, p.statuses), reason = r.reason, smdp_address = r.smdp_address,
    matching_id = COALESCE(r.matching_id, p.matching_id), iccid = COALESCE(r.iccid, p.iccid),
    attempts = p.attempts + r.attempts, settled_at = :now
FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:statuses AS jsonb[]), CAST(:reasons AS text[]),
            CAST(:addresses AS text[]), CAST(:matching AS text[]), CAST(:iccids AS text[]), CAST(:attempts AS int[]))
     AS r(order_id, state, statuses, reason, smdp_address, matching_id, iccid, attempts)
WHERE p.order_id = r.order_id AND p.state = 'ordered'
RETURNING p.order_id
"""
_MOVE = """
UPDATE profiles p
SET operator = r.operator, profile_type = r.profile_type, iccid = r.iccid, matching_id = r.matching_id,
    statuses = '[]', attempts = p.attempts + r.attempts
FROM unnest(CAST(:ids AS uuid[]), CAST(:operators AS text[]), CAST(:types AS text[]), CAST(:iccids AS text[]),
            CAST(:matching AS text[]), CAST(:attempts AS int[]))
     AS r(order_id, operator, profile_type, iccid, matching_id, attempts)
WHERE p.order_id = r.order_id AND p.state = 'ordered'
RETURNING p.order_id
"""
_TRIED_AGAIN = """
ON CONFLICT (order_id, operator) DO UPDATE
SET profile_type = EXCLUDED.profile_type, iccid = EXCLUDED.iccid, matching_id = EXCLUDED.matching_id,
    state = EXCLUDED.state, attempts = profile_orders.attempts + EXCLUDED.attempts, statuses = EXCLUDED.statuses,
    reason = EXCLUDED.reason, left_at = EXCLUDED.left_at, withdrawn_at = NULL
"""
_KEEP = "UPDATE profiles SET statuses = CAST(:statuses AS jsonb) WHERE order_id = :order_id AND state = 'ordered'"
_ADOPT = """
UPDATE work SET kind = :kind WHERE kind LIKE 'provision:%' AND NOT kind = ANY(CAST(:kinds AS text[])) AND owner IS NULL
RETURNING key
"""
_LAST = """
SELECT p.statuses, w.last_error FROM profiles p LEFT JOIN work w ON w.id = :id WHERE p.order_id = :order_id
"""


@dataclass(frozen=True, slots=True)
class Move:
    """An order's step to its next operator, with its new identity there."""

    task: Task[ProvisionPayload]
    step: NextOperator
    identity: Identity


async def add(tx: Tx, rows: Sequence[dict[str, Any]]) -> list[UUID]:
    """Insert orders; returns those that are new."""
    on_conflict = "ON CONFLICT (order_id) DO NOTHING"
    return [row.order_id for row in await tx.insert(profiles, rows, on_conflict=on_conflict, returning="order_id")]


async def settle(tx: Tx, settlements: Sequence[Settlement]) -> set[UUID]:
    """Store how orders ended; returns those that had not ended before."""
    made = [settlement.profile for settlement in settlements]
    result = await tx.execute(
        _SETTLE,
        now=tx.now,
        ids=[settlement.order_id for settlement in settlements],
        states=["generated" if profile else "failed" for profile in made],
        statuses=[_json(settlement.statuses) if settlement.statuses else None for settlement in settlements],
        reasons=[settlement.reason for settlement in settlements],
        addresses=[profile.smdp_address if profile else None for profile in made],
        matching=[profile.matching_id if profile else None for profile in made],
        iccids=[profile.iccid if profile else None for profile in made],
        attempts=[settlement.attempts for settlement in settlements],
    )
    return set(result.scalars())


async def move(tx: Tx, moves: Sequence[Move]) -> list[Move]:
    """Store the next operator of orders that have not ended; returns their moves."""
    result = await tx.execute(
        _MOVE,
        ids=[UUID(one.task.key) for one in moves],
        operators=[one.step.to.operator for one in moves],
        types=[one.step.to.profile_type for one in moves],
        iccids=[one.identity.iccid for one in moves],
        matching=[one.identity.matching_id for one in moves],
        attempts=[one.task.attempts + one.step.counted for one in moves],
    )
    moved = set(result.scalars())
    stored = [one for one in moves if UUID(one.task.key) in moved]
    await tx.insert(profile_orders, [_attempt(tx, one) for one in stored], on_conflict=_TRIED_AGAIN)
    return stored


async def keep_statuses(tx: Tx, order_id: UUID, statuses: Statuses) -> None:
    """Store an operator's status codes: the next attempt may get no answer, and the failure must say why."""
    await tx.execute(_KEEP, order_id=order_id, statuses=_json(statuses))


async def last_answer(tx: Tx, order_id: UUID, task_id: UUID) -> tuple[str, Statuses]:
    """How the last attempt ended, and the last status codes of the operator."""
    row = (await tx.execute(_LAST, order_id=order_id, id=task_id)).one_or_none()
    if row is None:
        return "no answer", ()
    return row.last_error or "no answer", tuple(OperatorStatus.model_validate(status) for status in row.statuses)


async def adopt(tx: Tx, kind: str, kinds: Sequence[str]) -> int:
    """Give tasks `provision` of operators that have none of these kinds to the queue `kind`; returns their number."""
    return len((await tx.execute(_ADOPT, kind=kind, kinds=list(kinds))).all())


def _attempt(tx: Tx, move: Move) -> dict[str, Any]:
    payload, left = move.task.payload, move.step.left
    return {
        "order_id": UUID(move.task.key),
        "operator": left.operator,
        "profile_type": payload.operators_profile_type,
        "iccid": payload.iccid,
        "matching_id": payload.matching_id,
        "state": left.state,
        "attempts": move.task.attempts + move.step.counted,
        "statuses": [status.model_dump() for status in left.statuses],
        "reason": left.reason,
        "left_at": tx.now,
    }


def _json(statuses: Statuses) -> str:
    return json.dumps([status.model_dump() for status in statuses])
