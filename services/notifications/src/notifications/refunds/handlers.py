"""What refunds and payments answer about a refund: each answer is a mail."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from notifications.delivery import EmailQueue, TracedEvent
from notifications.settings import Settings
from notifications.tables import orders
from shared.contracts import (
    AppealReceived,
    ClaimReceived,
    InformationNeeded,
    OrderEvent,
    RefundApproved,
    RefundDenied,
    RefundFailed,
    RefundPaidByHand,
    RefundRetried,
    RefundSettled,
)
from shared.database import Tx
from shared.ids import uuid_for
from shared.messaging.consumer import Received

E = TypeVar("E", bound=OrderEvent)
#: An approval that is not yet in anybody's hands says itself that the money is on its way.
_RIDES = """
UPDATE mails m SET facts = m.facts || jsonb_build_object('settled', CAST(s.facts AS jsonb))
FROM unnest(CAST(:ids AS uuid[]), CAST(:facts AS text[])) AS s(refund_id, facts)
WHERE m.kind = 'refund' AND m.subject_id = s.refund_id AND m.state IN ('waiting', 'due') AND m.created_at > :held
RETURNING m.subject_id
"""


def _attempt(event: RefundFailed | RefundRetried) -> UUID:
    """One subject for each attempt of a refund."""
    return uuid_for("refund-attempt", str(event.refund_id), str(event.attempt))


class RefundHandlers:
    """Applies answers to refund requests."""

    def __init__(self, mailing: EmailQueue, settings: Settings) -> None:
        self._mailing = mailing
        self._gather = timedelta(seconds=settings.gather_seconds)

    async def refund_approved(self, tx: Tx, batch: Sequence[Received[RefundApproved]]) -> None:
        """The money goes back, and why. A moment later the bank has usually accepted it: one mail says both."""
        facts = {one.event.refund_id: TracedEvent(one.event, one.trace) for one in batch}
        await self._mailing.due(tx, "refund", facts, after=self._gather)

    async def refund_settled(self, tx: Tx, batch: Sequence[Received[RefundSettled]]) -> None:
        """The bank accepted the refund: when the money arrives."""
        rows = [
            {
                **{name: getattr(one.event, name) for name in OrderEvent.model_fields},
                "refunded_at": one.event.settled_at,
            }
            for one in batch
            if one.event.charge_id is None  # a surplus capture that went back leaves the order as it is (RF 2.4)
        ]
        await tx.record_facts(orders, "order_id", rows)
        facts = {one.event.refund_id: TracedEvent(one.event, one.trace) for one in batch}
        # What a person paid is told by itself: the approval says that the bank returns the money.
        by_bank = sorted(one.event.refund_id for one in batch if one.event.way is None)
        # Half of the time is left for whoever may be about to take the approval in hand.
        rides = await tx.execute(
            _RIDES,
            ids=by_bank,
            facts=[facts[key].event.model_dump_json() for key in by_bank],
            held=tx.now - self._gather / 2,
        )
        merged = set(rides.scalars())
        await self._mailing.merged(tx, "settled", {key: facts[key] for key in facts if key in merged})
        if len(merged) < len(facts):
            await self._mailing.due(tx, "settled", {key: facts[key] for key in facts if key not in merged})

    async def refund_failed(self, tx: Tx, batch: Sequence[Received[RefundFailed]]) -> None:
        """The bank refused. The first refusal is a mail; later ones stand on the account page."""
        first = {
            one.event.refund_id: TracedEvent(one.event, one.trace) for one in batch if (one.event.attempt or 1) == 1
        }
        if first:
            await self._mailing.due(tx, "refused", first)
        later = {
            _attempt(one.event): TracedEvent(one.event, one.trace) for one in batch if (one.event.attempt or 1) > 1
        }
        await self._mailing.merged(tx, "refused", later)

    async def refund_retried(self, tx: Tx, batch: Sequence[Received[RefundRetried]]) -> None:
        """The bank is asked again: for the account page, which is true at each step. Its end is a mail."""
        await self._mailing.merged(
            tx, "retried", {_attempt(one.event): TracedEvent(one.event, one.trace) for one in batch}
        )

    async def refund_paid_by_hand(self, tx: Tx, batch: Sequence[Received[RefundPaidByHand]]) -> None:
        """A part is a mail; the rest is told by RefundSettled, which follows at once."""
        facts = {one.event.payment_id: TracedEvent(one.event, one.trace) for one in batch}
        whole = {one.event.payment_id for one in batch if one.event.left.amount == 0}
        await self._mailing.merged(tx, "paid_by_hand", {key: facts[key] for key in facts if key in whole})
        if len(whole) < len(facts):
            await self._mailing.due(tx, "paid_by_hand", {key: facts[key] for key in facts if key not in whole})

    async def information_needed(self, tx: Tx, batch: Sequence[Received[InformationNeeded]]) -> None:
        """RF 4.3: exactly what is missing."""
        await self._mail(tx, "information", batch, lambda e: (str(e.case_id), e.asked_at.isoformat()))

    async def refund_denied(self, tx: Tx, batch: Sequence[Received[RefundDenied]]) -> None:
        """RF 6: the grounds, and how to appeal."""
        await self._mail(tx, "denied", batch, lambda e: (str(e.case_id), e.denied_at.isoformat()))

    async def appeal_received(self, tx: Tx, batch: Sequence[Received[AppealReceived]]) -> None:
        """Another person looks at it."""
        await self._mail(tx, "appeal", batch, lambda e: (str(e.case_id), e.received_at.isoformat()))

    async def claim_received(self, tx: Tx, batch: Sequence[Received[ClaimReceived]]) -> None:
        """PO 7.3: answered within 30 calendar days."""
        await self._mailing.due(tx, "claim", {one.event.claim_id: TracedEvent(one.event, one.trace) for one in batch})

    async def _mail(
        self, tx: Tx, kind: str, batch: Sequence[Received[E]], subject: Callable[[E], tuple[str, str]]
    ) -> None:
        """A case may be answered this way more than once: each answer is a mail."""
        facts: dict[UUID, TracedEvent] = {
            uuid_for(kind, *subject(one.event)): TracedEvent(one.event, one.trace) for one in batch
        }
        await self._mailing.due(tx, kind, facts)
