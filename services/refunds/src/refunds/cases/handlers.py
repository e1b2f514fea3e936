"""Facts of other services, kept per order in whatever order they come; one statement per topic and batch.

Each fact may be the one that an open case has waited for: after it is kept, the open cases of those orders are decided
again. Where there are none, which is nearly always, that costs one statement per batch.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID

from refunds.cases import CaseService, Request
from refunds.cases.models.case import DOUBLE_CHARGE, GENERATION_FAILED
from refunds.cases.rules.fingerprints import Fingerprints
from refunds.cases.store import observations
from refunds.late_deliveries.tasks import watch_delivery
from refunds.privacy.store import KEPT, STATEMENTS
from refunds.refused_refunds import RefusedHandlers
from refunds.tables import charges, contacts, order_facts, refund_outcomes, revocations
from shared.contracts import (
    BuyerContact,
    BuyerErasureRequested,
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
    RefundActionAnswered,
    RefundFailed,
    RefundPaidByHand,
    RefundRetried,
    RefundsBuyerErased,
    RefundSettled,
    RevocationRefused,
    TopUpApplied,
)
from shared.database import Tx
from shared.kernel.privacy import forgets
from shared.messaging.consumer import Handler, Received, Tombstone
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
E = TypeVar("E", bound=OrderEvent)

#: Both facts are there and nobody has claimed the case: whichever fact came second finds it, exactly once.
_CLAIM_FAILED = """
UPDATE order_facts SET case_opened_at = :now
WHERE order_id = ANY(CAST(:orders AS uuid[])) AND failed_at IS NOT NULL AND case_opened_at IS NULL
  AND paid_at IS NOT NULL
RETURNING order_id, failed_at
"""
_CLAIM_CHARGES = """
UPDATE charges c SET case_opened_at = :now FROM order_facts f
WHERE c.order_id = ANY(CAST(:orders AS uuid[])) AND c.case_opened_at IS NULL
  AND f.order_id = c.order_id AND f.paid_at IS NOT NULL
RETURNING c.order_id, c.charge_id, c.captured_at
"""
_NEWEST_CONTACT = """
ON CONFLICT (buyer_id) DO UPDATE
SET email_hash = EXCLUDED.email_hash, phone_hash = EXCLUDED.phone_hash, updated_at = EXCLUDED.updated_at
WHERE contacts.erased_at IS NULL AND contacts.updated_at < EXCLUDED.updated_at
"""


class Facts:
    """Applies what this service reads, and lets the case_service decide what follows."""

    def __init__(self, case_service: CaseService, fingerprints: Fingerprints) -> None:
        self._case_service = case_service
        self._fingerprints = fingerprints
        self._refused = RefusedHandlers(case_service)

    def handlers(self) -> dict[type[Event], Handler]:
        """By the fact that they apply."""
        return {
            OrderPaid: self.order_paid,
            ProfileGenerated: self._keeping(lambda e: {"generated_at": e.generated_at, "iccid": e.iccid}),
            ProfileFailed: self.profile_failed,
            ProfileObserved: self.profile_observed,
            ProfileRevoked: self.profile_revoked,
            RevocationRefused: self.revocation_refused,
            ProfileExpired: self._keeping(lambda e: {"iccid": e.iccid, "expired_at": e.expired_at, "expiry": e.reason}),
            TopUpApplied: self._keeping(lambda e: {"iccid": e.iccid, "top_up_applied_at": e.applied_at}),
            QrDelivered: self._keeping(lambda e: {"delivered_at": e.delivered_at, "delivery_channel": e.channel}),
            DeliveryFailed: self._keeping(
                lambda e: {
                    "delivery_failed_at": e.failed_at,
                    "delivery_failure": f"{e.channel} {e.smtp_code} {e.enhanced_code or ''}".rstrip(),
                }
            ),
            DuplicateCharged: self.duplicate_charged,
            RefundSettled: self.refund_settled,
            RefundFailed: self.refund_failed,
            RefundRetried: self._refused.refund_retried,
            RefundPaidByHand: self._refused.refund_paid_by_hand,
            RefundActionAnswered: self._refused.action_answered,
            BuyerContact: self.buyer_contact,
            BuyerErasureRequested: forgets(RefundsBuyerErased, STATEMENTS, kept=KEPT),
        }

    async def order_paid(self, tx: Tx, batch: Sequence[Received[OrderPaid]]) -> None:
        """Keep what was paid; it may be the fact that a case has waited for."""
        await _keep(
            tx,
            batch,
            lambda e: {
                "paid_at": e.paid_at,
                "paid_minor": e.paid.amount,
                "currency": e.paid.currency,
                "kind": e.kind,
            },
        )
        watch_delivery(tx, self._case_service.policies, (received.event for received in batch))
        await self._open_due(tx, batch)

    async def profile_failed(self, tx: Tx, batch: Sequence[Received[ProfileFailed]]) -> None:
        """Keep that no profile will come, and open the case where the money is known to be here."""
        await _keep(
            tx,
            batch,
            lambda e: {
                "failed_at": e.failed_at,
                "failure": e.reason,
                "failure_statuses": [status.model_dump() for status in e.statuses],
            },
        )
        await self._open_due(tx, batch)

    async def profile_observed(self, tx: Tx, batch: Sequence[Received[ProfileObserved]]) -> None:
        """Keep where the profile is and what was used."""
        await _keep(tx, batch, lambda e: {"iccid": e.iccid})
        await observations.merge(tx, (received.event for received in batch))
        await self._decide(tx, batch)

    async def profile_revoked(self, tx: Tx, batch: Sequence[Received[ProfileRevoked]]) -> None:
        """Keep that the code works no longer: the money that a case holds back for it may go."""
        await _keep(tx, batch, lambda e: {"iccid": e.iccid, "revoked_at": e.revoked_at, "revoked_case_id": e.case_id})
        await _keep_answers(tx, batch, lambda e: {"revoked_at": e.revoked_at})
        await self._decide(tx, batch)

    async def revocation_refused(self, tx: Tx, batch: Sequence[Received[RevocationRefused]]) -> None:
        """Keep that the operator does not take the profile back: the case is decided again."""
        await _keep(
            tx,
            batch,
            lambda e: {
                "iccid": e.iccid,
                "revocation_refused_at": e.refused_at,
                "revocation_refusal": e.reason,
                "revocation_case_id": e.case_id,
            },
        )
        await _keep_answers(tx, batch, lambda e: {"refused_at": e.refused_at, "refusal": e.reason, "in_use": e.in_use})
        await self._decide(tx, batch)

    async def duplicate_charged(self, tx: Tx, batch: Sequence[Received[DuplicateCharged]]) -> None:
        """Keep the surplus capture, and open its case where the order is known to be paid."""
        await _keep(tx, batch, lambda _: {})
        rows = {
            received.event.charge_id: {
                "charge_id": received.event.charge_id,
                "order_id": received.event.order_id,
                "amount_minor": received.event.amount.amount,
                "currency": received.event.amount.currency,
                "captured_at": received.event.captured_at,
            }
            for received in batch
        }
        await tx.insert(charges, [rows[charge] for charge in sorted(rows)])
        await self._open_due(tx, batch)

    async def refund_settled(self, tx: Tx, batch: Sequence[Received[RefundSettled]]) -> None:
        """Keep that the money has gone back: it closes the case."""
        await _keep(tx, batch, lambda e: {"settled_at": e.settled_at if e.charge_id is None else None})
        await tx.record_facts(
            refund_outcomes,
            "refund_id",
            (
                {"refund_id": r.event.refund_id, "order_id": r.event.order_id, "settled_at": r.event.settled_at}
                for r in batch
            ),
        )
        await self._decide(tx, batch)

    async def refund_failed(self, tx: Tx, batch: Sequence[Received[RefundFailed]]) -> None:
        """Keep that the bank would not return the money: the case waits for a person."""
        await _keep(tx, batch, lambda e: {"refund_failed_at": e.failed_at})
        await tx.record_facts(
            refund_outcomes,
            "refund_id",
            (
                {
                    "refund_id": r.event.refund_id,
                    "order_id": r.event.order_id,
                    "failed_at": r.event.failed_at,
                    "failure": r.event.reason,
                }
                for r in batch
            ),
        )
        await self._refused.refund_failed(tx, batch)
        await self._decide(tx, batch)

    async def buyer_contact(self, tx: Tx, batch: Sequence[Received[BuyerContact]]) -> None:
        """Keep keyed hashes of the newest e-mail and phone: a request may be told from a stranger's, no more."""
        newest: dict[UUID, BuyerContact] = {}
        for received in batch:
            event = received.event
            if event.buyer_id not in newest or newest[event.buyer_id].updated_at < event.updated_at:
                newest[event.buyer_id] = event
        rows = [
            {
                "buyer_id": buyer,
                "email_hash": self._fingerprints.email(newest[buyer].email),
                "phone_hash": self._fingerprints.phone(newest[buyer].phone),
                "updated_at": newest[buyer].updated_at,
            }
            for buyer in sorted(newest)
        ]
        await tx.insert(contacts, rows, on_conflict=_NEWEST_CONTACT)

    async def buyer_erased(self, tx: Tx, batch: Sequence[Tombstone]) -> None:
        """Nothing about these buyers may be kept; the request itself is confirmed where it is read (privacy.py)."""
        buyers = sorted({buyer for one in batch if (buyer := _buyer(one)) is not None})
        for statement in STATEMENTS if buyers else ():
            await tx.execute(statement, buyers=buyers)

    # --- within -----------------------------------------------------------------------------------------------------

    def _keeping(self, facts: Callable[[Any], Mapping[str, Any]]) -> Handler:
        async def handle(tx: Tx, batch: Sequence[Received[Any]]) -> None:
            await _keep(tx, batch, facts)
            await self._decide(tx, batch)

        return handle

    async def _decide(self, tx: Tx, batch: Sequence[Received[OrderEvent]]) -> None:
        traces = _traces(batch)
        await self._case_service.decide(tx, traces, traces)

    async def _open_due(self, tx: Tx, batch: Sequence[Received[OrderEvent]]) -> None:
        """Open the system's cases that became due with this batch, and decide what was open."""
        traces = _traces(batch)
        orders = sorted(traces)
        wanted: dict[UUID, list[Request]] = {}
        for row in await tx.execute(_CLAIM_FAILED, orders=orders, now=tx.now):
            asked = Request(
                reason=None, ground=GENERATION_FAILED, channel="system", origin="system", received_at=row.failed_at
            )
            wanted.setdefault(row.order_id, []).append(asked)
        for row in await tx.execute(_CLAIM_CHARGES, orders=orders, now=tx.now):
            asked = Request(
                reason=DOUBLE_CHARGE,
                ground=f"{DOUBLE_CHARGE}:{row.charge_id}",
                channel="system",
                origin="system",
                received_at=row.captured_at,
                charge_id=row.charge_id,
            )
            wanted.setdefault(row.order_id, []).append(asked)
        await self._case_service.decide(tx, traces, traces)
        if wanted:
            await self._case_service.open_of_system(tx, wanted, traces)


async def _keep(tx: Tx, batch: Sequence[Received[E]], facts: Callable[[E], Mapping[str, Any]]) -> None:
    await tx.record_facts(
        order_facts,
        "order_id",
        (
            {
                "order_id": received.event.order_id,
                "order_number": received.event.order_number,
                "storefront": received.event.storefront,
                "buyer_id": received.event.buyer_id,
                **facts(received.event),
            }
            for received in batch
        ),
    )


async def _keep_answers(tx: Tx, batch: Sequence[Received[Any]], facts: Callable[[Any], Mapping[str, Any]]) -> None:
    """Keep what became of the revocations that cases asked for."""
    await tx.record_facts(
        revocations,
        "case_id",
        (
            {"case_id": received.event.case_id, "order_id": received.event.order_id, **facts(received.event)}
            for received in batch
            if received.event.case_id is not None
        ),
    )


def _traces(batch: Sequence[Received[OrderEvent]]) -> dict[UUID, str | None]:
    return {received.event.order_id: received.trace for received in batch}


def _buyer(tombstone: Tombstone) -> UUID | None:
    try:
        return UUID(tombstone.key)
    except ValueError:
        log.warning("tombstone_without_buyer", event_id=str(tombstone.id))
        return None
