"""Handles events of refund cases: a case requests the state of a profile, or its revocation.

Such an event may come before the profile is generated, before the order, or twice. Whichever comes second, the event or
the profile, schedules the task, once. The row in `lives` is the lock that both take.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from provisioning.generation.models import GeneratedProfile
from provisioning.lifecycle import store
from provisioning.lifecycle.models.cases import BegunCase
from provisioning.lifecycle.models.profile import IssuedProfile, LifecyclePayload
from provisioning.operators import Operators
from shared.contracts import CancellationAccepted, RefundApproved, RefundRequested, RevocationRequested
from shared.database import Tx
from shared.messaging.consumer import Received


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
        newest = {received.event.case_id: received.event.requested_at for received in sorted(batch, key=_requested_at)}
        await store.add_inquiries(tx, rows, newest)
        await self._schedule_cases(tx, [row["order_id"] for row in rows])

    async def refund_approved(self, tx: Tx, batch: Sequence[Received[RefundApproved]]) -> None:
        """A refund is approved: nothing is announced any more.

        A part of the payment, or a surplus capture (RF 2.4), leaves the eSIM in use. Where refunds requests it here (an
        earlier release), the profile is revoked.
        """
        refunds = [received.event for received in batch if received.event.charge_id is None]
        refunds = [event for event in refunds if not event.is_part]
        await store.mark_refunded(tx, {event.order_id: event.approved_at for event in refunds})
        wanted = [received for received in batch if received.event.revoke_profile]
        await self._revoke(tx, [_row(tx, received.event, received.trace) | {"reason": "refund"} for received in wanted])

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
        await store.add_revocations(tx, rows)
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
        ids = sorted(profiles, key=lambda order_id: order_id.int)
        await store.mark_disputed(tx, ids)
        for case in await store.begin_inquiries(tx, ids):
            self._schedule(tx, "inquire", case, profiles[case.order_id])
        for case in await store.begin_revocations(tx, ids):
            self._schedule(tx, "revoke", case, profiles[case.order_id])

    def _schedule(self, tx: Tx, do: str, case: BegunCase, profile: IssuedProfile) -> None:
        payload = LifecyclePayload(do=do, order_id=case.order_id, case_id=case.case_id)
        tx.schedule(self._operators.kind("life", profile.operator), f"{do}:{case.case_id}", payload, trace=case.trace)


def _requested_at(received: Received[RefundRequested]) -> datetime:
    return received.event.requested_at


def _row(tx: Tx, event: _AboutCase, trace: str | None) -> dict[str, Any]:
    return {"case_id": event.case_id, "order_id": event.order_id, "asked_at": tx.now, "trace": trace}
