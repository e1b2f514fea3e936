"""Stores facts that other services publish, in whatever order they come, and decides the open cases of their orders.

Each fact may be the one that an open case waits for. Nearly always an order has no open case: deciding then costs one
statement per batch.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from refunds.cases.models.case import DOUBLE_CHARGE, GENERATION_FAILED
from refunds.cases.models.request import Request
from refunds.cases.service import CaseService
from refunds.cases.store import facts, observations
from shared.contracts import (
    BuyerContact,
    DeliveryFailed,
    DuplicateCharged,
    Event,
    OrderEvent,
    OrderPaid,
    ProfileExpired,
    ProfileFailed,
    ProfileGenerated,
    ProfileObserved,
    ProfileRevoked,
    QrDelivered,
    RefundFailed,
    RefundSettled,
    RevocationRefused,
    TopUpApplied,
)
from shared.database import Tx
from shared.messaging.consumer import Handler, Received

E = TypeVar("E", bound=OrderEvent)


class CaseHandlers:
    """The handlers of everything that happens to an order."""

    def __init__(self, case_service: CaseService) -> None:
        self._case_service = case_service

    def handlers(self) -> dict[type[Event], Handler]:
        """The handler of each event."""
        return {
            OrderPaid: self.order_paid,
            ProfileGenerated: self._storing(_generated),
            ProfileFailed: self.profile_failed,
            ProfileObserved: self.profile_observed,
            ProfileRevoked: self.profile_revoked,
            RevocationRefused: self.revocation_refused,
            ProfileExpired: self._storing(_expired),
            TopUpApplied: self._storing(_top_up_applied),
            QrDelivered: self._storing(_delivered),
            DeliveryFailed: self._storing(_delivery_failed),
            DuplicateCharged: self.duplicate_charged,
            RefundSettled: self.refund_settled,
            RefundFailed: self.refund_failed,
            BuyerContact: self.buyer_contact,
        }

    async def order_paid(self, tx: Tx, batch: Sequence[Received[OrderPaid]]) -> None:
        """Store the payment, and open the case of a generation that failed before."""
        await facts.keep(tx, _events(batch), _paid)
        await self._open_due(tx, batch)

    async def profile_failed(self, tx: Tx, batch: Sequence[Received[ProfileFailed]]) -> None:
        """Store that no profile can be generated, and open the case where the order is paid."""
        await facts.keep(tx, _events(batch), _failed)
        await self._open_due(tx, batch)

    async def profile_observed(self, tx: Tx, batch: Sequence[Received[ProfileObserved]]) -> None:
        """Store where the profile is and how much data was used."""
        await facts.keep(tx, _events(batch), lambda event: {"iccid": event.iccid})
        await observations.merge(tx, _events(batch))
        await self.decide(tx, batch)

    async def profile_revoked(self, tx: Tx, batch: Sequence[Received[ProfileRevoked]]) -> None:
        """Store that the code no longer works: a refund that waits for this can be released."""
        await facts.keep(tx, _events(batch), _revoked)
        await facts.keep_revocations(tx, _events(batch), lambda event: {"revoked_at": event.revoked_at})
        await self.decide(tx, batch)

    async def revocation_refused(self, tx: Tx, batch: Sequence[Received[RevocationRefused]]) -> None:
        """Store that the operator refused to revoke the profile: the case is decided again."""
        await facts.keep(tx, _events(batch), _revocation_refused)
        await facts.keep_revocations(
            tx,
            _events(batch),
            lambda event: {"refused_at": event.refused_at, "refusal": event.reason, "in_use": event.in_use},
        )
        await self.decide(tx, batch)

    async def duplicate_charged(self, tx: Tx, batch: Sequence[Received[DuplicateCharged]]) -> None:
        """Store a surplus capture, and open its case where the order is paid."""
        await facts.keep(tx, _events(batch), lambda _: {})
        await facts.keep_charges(tx, _events(batch))
        await self._open_due(tx, batch)

    async def refund_settled(self, tx: Tx, batch: Sequence[Received[RefundSettled]]) -> None:
        """Store that the refund is settled, which closes its case."""
        await facts.keep(tx, _events(batch), lambda e: {"settled_at": e.settled_at if e.charge_id is None else None})
        await facts.keep_settled(tx, _events(batch))
        await self.decide(tx, batch)

    async def refund_failed(self, tx: Tx, batch: Sequence[Received[RefundFailed]]) -> None:
        """Store that the bank refused the refund: the case waits for a person."""
        await self.keep_refund_failed(tx, batch)
        await self.decide(tx, batch)

    async def keep_refund_failed(self, tx: Tx, batch: Sequence[Received[RefundFailed]]) -> None:
        """Only store that the bank refused the refund, for a handler that stores more before the case is decided."""
        await facts.keep(tx, _events(batch), lambda event: {"refund_failed_at": event.failed_at})
        await facts.keep_failed(tx, _events(batch))

    async def buyer_contact(self, tx: Tx, batch: Sequence[Received[BuyerContact]]) -> None:
        """Store keyed hashes of the newest e-mail and phone, with which the contact in a request is checked."""
        await facts.keep_contacts(tx, [received.event for received in batch], self._case_service.fingerprints)

    async def decide(self, tx: Tx, batch: Sequence[Received[E]]) -> None:
        """Decide the open cases of the orders in this batch."""
        traces = _traces(batch)
        await self._case_service.decide(tx, traces, traces)

    def _storing(self, columns: Callable[[Any], Mapping[str, Any]]) -> Handler:
        """A handler that stores columns of `order_facts` and decides."""

        async def handle(tx: Tx, batch: Sequence[Received[Any]]) -> None:
            await facts.keep(tx, _events(batch), columns)
            await self.decide(tx, batch)

        return handle

    async def _open_due(self, tx: Tx, batch: Sequence[Received[E]]) -> None:
        """Decide open cases; then open the system's own cases that became due with this batch."""
        traces = _traces(batch)
        orders = sorted(traces)
        wanted: dict[UUID, list[Request]] = {}
        for failed in await facts.claim_failed_orders(tx, orders):
            request = Request(
                reason=None, ground=GENERATION_FAILED, channel="system", origin="system", received_at=failed.failed_at
            )
            wanted.setdefault(failed.order_id, []).append(request)
        for charge in await facts.claim_charges(tx, orders):
            request = Request(
                reason=DOUBLE_CHARGE,
                ground=f"{DOUBLE_CHARGE}:{charge.charge_id}",
                channel="system",
                origin="system",
                received_at=charge.captured_at,
                charge_id=charge.charge_id,
            )
            wanted.setdefault(charge.order_id, []).append(request)
        await self._case_service.decide(tx, traces, traces)
        if wanted:
            await self._case_service.open_of_system(tx, wanted, traces)


def _events(batch: Sequence[Received[E]]) -> list[E]:
    return [received.event for received in batch]


def _traces(batch: Sequence[Received[E]]) -> dict[UUID, str | None]:
    return {received.event.order_id: received.trace for received in batch}


# --- the columns of order_facts that each event fills -----------------------------------------------------------------


def _paid(event: OrderPaid) -> Mapping[str, Any]:
    return {
        "paid_at": event.paid_at,
        "paid_minor": event.paid.amount,
        "currency": event.paid.currency,
        "kind": event.kind,
    }


def _generated(event: ProfileGenerated) -> Mapping[str, Any]:
    return {"generated_at": event.generated_at, "iccid": event.iccid}


def _failed(event: ProfileFailed) -> Mapping[str, Any]:
    return {
        "failed_at": event.failed_at,
        "failure": event.reason,
        "failure_statuses": [status.model_dump() for status in event.statuses],
    }


def _revoked(event: ProfileRevoked) -> Mapping[str, Any]:
    return {"iccid": event.iccid, "revoked_at": event.revoked_at, "revoked_case_id": event.case_id}


def _revocation_refused(event: RevocationRefused) -> Mapping[str, Any]:
    return {
        "iccid": event.iccid,
        "revocation_refused_at": event.refused_at,
        "revocation_refusal": event.reason,
        "revocation_case_id": event.case_id,
    }


def _expired(event: ProfileExpired) -> Mapping[str, Any]:
    return {"iccid": event.iccid, "expired_at": event.expired_at, "expiry": event.reason}


def _top_up_applied(event: TopUpApplied) -> Mapping[str, Any]:
    return {"iccid": event.iccid, "top_up_applied_at": event.applied_at}


def _delivered(event: QrDelivered) -> Mapping[str, Any]:
    return {"delivered_at": event.delivered_at, "delivery_channel": event.channel}


def _delivery_failed(event: DeliveryFailed) -> Mapping[str, Any]:
    return {
        "delivery_failed_at": event.failed_at,
        "delivery_failure": f"{event.channel} {event.smtp_code} {event.enhanced_code or ''}".rstrip(),
    }
