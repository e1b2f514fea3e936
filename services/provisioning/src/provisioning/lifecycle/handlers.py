"""Handles events of refund cases: a case requests the state of a profile, or its revocation.

Such an event may come before the profile is generated, before the order, or twice. Whichever comes second, the event or
the profile, schedules the task, once. The row in `lives` is the lock that both take.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from provisioning.generation.models import GeneratedProfile
from provisioning.lifecycle import store
from provisioning.lifecycle.models.profile import IssuedProfile, LifecyclePayload
from provisioning.operators.registry import Operators
from provisioning.tables import inquiries, revocations
from shared.contracts import CancellationAccepted, RefundApproved, RefundRequested, RevocationRequested
from shared.database import Tx
from shared.messaging.consumer import Received

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


class _AboutCase(Protocol):
    """An event of refunds about one case of one order."""

    @property
    def order_id(self) -> UUID: ...

    @property
    def case_id(self) -> UUID: ...


class CaseHandlers:
    """Handlers of events of refunds, and the listener for generated profiles."""

    def __init__(self, operators: Operators) -> None:
        self._operators = operators

    async def refund_requested(self, tx: Tx, batch: Sequence[Received[RefundRequested]]) -> None:
        """A case is open: query the operator about the profile now, and answer the case."""
        rows = [_row(tx, received.event, received.trace) for received in batch]
        await store.await_profiles(tx, (row["order_id"] for row in rows))
        await tx.insert(inquiries, _by_case(rows))
        newest = {one.event.case_id: one.event.requested_at for one in sorted(batch, key=_requested_at)}
        await tx.execute(_ASK_AGAIN, now=tx.now, cases=list(newest), moments=list(newest.values()))
        await self._schedule_cases(tx, [row["order_id"] for row in rows])

    async def refund_approved(self, tx: Tx, batch: Sequence[Received[RefundApproved]]) -> None:
        """A refund is approved: where refunds requests it here (an earlier release), the profile is revoked."""
        wanted = [received for received in batch if received.event.revoke_profile]
        await self._revoke(tx, [_row(tx, one.event, one.trace) | {"reason": "refund"} for one in wanted])

    async def revocation_requested(self, tx: Tx, batch: Sequence[Received[RevocationRequested]]) -> None:
        """A refund is approved: the profile is revoked first, and the money waits for that (I13)."""
        await self._revoke(tx, [_row(tx, one.event, one.trace) | {"reason": "refund"} for one in batch])

    async def cancellation_accepted(self, tx: Tx, batch: Sequence[Received[CancellationAccepted]]) -> None:
        """The buyer cancelled (RC 5, 6): the profile is revoked, and the money follows."""
        await self._revoke(tx, [_row(tx, one.event, one.trace) | {"reason": "cancellation"} for one in batch])

    async def _revoke(self, tx: Tx, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        await store.await_profiles(tx, (row["order_id"] for row in rows))
        await tx.insert(revocations, _by_case(rows))
        await self._schedule_cases(tx, [row["order_id"] for row in rows])

    async def profiles_generated(self, tx: Tx, generated: Sequence[GeneratedProfile]) -> None:
        """Store profiles that are generated in this transaction (a listener of `ProfilePublisher`)."""
        awaited = await store.begin(tx, generated)
        if awaited:
            await self._schedule_cases(tx, awaited)

    async def _schedule_cases(self, tx: Tx, order_ids: Sequence[UUID]) -> None:
        """Schedule the tasks of cases whose profile is generated; the other cases wait for theirs."""
        profiles = await store.issued_profiles(tx, order_ids)
        if not profiles:
            return
        ids = sorted(profiles, key=lambda one: one.int)
        await tx.execute(_DISPUTED, now=tx.now, ids=ids)
        for row in await tx.execute(_BEGIN_INQUIRIES, now=tx.now, ids=ids):
            self._schedule(tx, "inquire", row, profiles[row.order_id])
        for row in await tx.execute(_BEGIN_REVOCATIONS, now=tx.now, ids=ids):
            self._schedule(tx, "revoke", row, profiles[row.order_id])

    def _schedule(self, tx: Tx, do: str, row: Any, profile: IssuedProfile) -> None:
        payload = LifecyclePayload(do=do, order_id=row.order_id, case_id=row.case_id)
        tx.schedule(self._operators.kind("life", profile.operator), f"{do}:{row.case_id}", payload, trace=row.trace)


def _requested_at(received: Received[RefundRequested]) -> datetime:
    return received.event.requested_at


def _row(tx: Tx, event: _AboutCase, trace: str | None) -> dict[str, Any]:
    return {"case_id": event.case_id, "order_id": event.order_id, "asked_at": tx.now, "trace": trace}


def _by_case(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(rows, key=lambda row: row["case_id"].int)
