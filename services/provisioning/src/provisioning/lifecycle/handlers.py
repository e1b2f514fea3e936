"""Refunds' questions and orders in: a case wants to know how a profile is, or wants it taken out of use.

They may come before the profile is made, before the order is known, or twice: whichever comes second, the question or
the profile, begins the work, once. The row in `lives` is the lock that both take.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from provisioning.generation.publishing import GeneratedProfile
from provisioning.lifecycle import store
from provisioning.lifecycle.store import IssuedProfile
from provisioning.operators.registry import Operators
from provisioning.tables import inquiries, revocations
from shared.contracts import CancellationAccepted, RefundApproved, RefundRequested, RevocationRequested
from shared.database import Tx
from shared.messaging.consumer import Received

_DISPUTED = """
UPDATE lives SET disputed_at = GREATEST(disputed_at, :now) WHERE order_id = ANY(CAST(:ids AS uuid[]))
"""
#: The case has had its answer and asks anew, later than that: what was seen then may be too old to pay on.
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
    """A fact of refunds about one case of one order."""

    @property
    def order_id(self) -> UUID: ...

    @property
    def case_id(self) -> UUID: ...


class CaseHandlers:
    """Consumers of refunds' facts, and the beginning of lives."""

    def __init__(self, operators: Operators) -> None:
        self._operators = operators

    async def refund_requested(self, tx: Tx, batch: Sequence[Received[RefundRequested]]) -> None:
        """A case is open: look at the profile now, and answer it."""
        rows = [_row(tx, received.event, received.trace) for received in batch]
        await store.ask(tx, (row["order_id"] for row in rows))
        await tx.insert(inquiries, _by_case(rows))
        newest = {one.event.case_id: one.event.requested_at for one in sorted(batch, key=_requested_at)}
        await tx.execute(_ASK_AGAIN, now=tx.now, cases=list(newest), moments=list(newest.values()))
        await self._begin(tx, [row["order_id"] for row in rows])

    async def refund_approved(self, tx: Tx, batch: Sequence[Received[RefundApproved]]) -> None:
        """The money goes back: where refunds says so (an earlier release), the profile goes out of use."""
        wanted = [received for received in batch if received.event.revoke_profile]
        await self._revoke(tx, [_row(tx, one.event, one.trace) | {"reason": "refund"} for one in wanted])

    async def revocation_requested(self, tx: Tx, batch: Sequence[Received[RevocationRequested]]) -> None:
        """A refund is approved: the profile goes out of use first, and the money waits for that (I13)."""
        await self._revoke(tx, [_row(tx, one.event, one.trace) | {"reason": "refund"} for one in batch])

    async def cancellation_accepted(self, tx: Tx, batch: Sequence[Received[CancellationAccepted]]) -> None:
        """The buyer cancelled (RC 5, 6): the profile goes out of use for good, and the money follows."""
        await self._revoke(tx, [_row(tx, one.event, one.trace) | {"reason": "cancellation"} for one in batch])

    async def _revoke(self, tx: Tx, rows: list[dict[str, Any]]) -> None:
        if not rows:
            return
        await store.ask(tx, (row["order_id"] for row in rows))
        await tx.insert(revocations, _by_case(rows))
        await self._begin(tx, [row["order_id"] for row in rows])

    async def profiles_generated(self, tx: Tx, born: Sequence[GeneratedProfile]) -> None:
        """These profiles were made just now, in this transaction (a listener of `Births`)."""
        awaited = await store.begin(tx, born)
        if awaited:
            await self._begin(tx, awaited)

    async def _begin(self, tx: Tx, order_ids: Sequence[UUID]) -> None:
        """Begin what was asked about profiles that are there; the others' questions wait for them."""
        alive = await store.issued_profiles(tx, order_ids)
        if not alive:
            return
        ids = sorted(alive, key=lambda one: one.int)
        await tx.execute(_DISPUTED, now=tx.now, ids=ids)
        for row in await tx.execute(_BEGIN_INQUIRIES, now=tx.now, ids=ids):
            self._schedule(tx, "inquire", row, alive[row.order_id])
        for row in await tx.execute(_BEGIN_REVOCATIONS, now=tx.now, ids=ids):
            self._schedule(tx, "revoke", row, alive[row.order_id])

    def _schedule(self, tx: Tx, do: str, row: Any, life: IssuedProfile) -> None:
        payload = {"do": do, "order_id": str(row.order_id), "case_id": str(row.case_id)}
        tx.schedule(self._operators.kind("life", life.operator), f"{do}:{row.case_id}", payload, trace=row.trace)


def _requested_at(received: Received[RefundRequested]) -> datetime:
    return received.event.requested_at


def _row(tx: Tx, event: _AboutCase, trace: str | None) -> dict[str, Any]:
    return {"case_id": event.case_id, "order_id": event.order_id, "asked_at": tx.now, "trace": trace}


def _by_case(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(rows, key=lambda row: row["case_id"].int)
