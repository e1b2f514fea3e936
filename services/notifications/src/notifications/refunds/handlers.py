"""Creates emails about refunds and claims: one for each answer of refunds and payments."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from notifications.delivery import EmailQueue, by_subject
from notifications.settings import Settings
from notifications.tables import orders
from shared.contracts import (
    AppealReceived,
    CancellationAccepted,
    ClaimAnswered,
    ClaimReceived,
    InformationNeeded,
    OrderEvent,
    RefundApproved,
    RefundDenied,
    RefundFailed,
    RefundPaidByHand,
    RefundRetried,
    RefundSettled,
    RequestRegistered,
    SupportAnswered,
    order_fields,
)
from shared.database import Tx
from shared.ids import uuid_for
from shared.messaging.consumer import Received

E = TypeVar("E", bound=OrderEvent)
_PAID = """
SELECT order_id, CAST(paid->'paid'->>'amount' AS bigint) AS amount FROM orders
WHERE order_id = ANY(CAST(:orders AS uuid[])) AND paid IS NOT NULL
"""
#: An approval whose email is not being sent yet: that email says too that the money was sent.
_ADD_TO_APPROVAL = """
UPDATE mails m SET facts = m.facts || jsonb_build_object('settled', CAST(s.facts AS jsonb))
FROM unnest(CAST(:ids AS uuid[]), CAST(:facts AS text[])) AS s(refund_id, facts)
WHERE m.kind = 'refund' AND m.subject_id = s.refund_id AND m.state IN ('waiting', 'due') AND m.created_at > :held
RETURNING m.subject_id
"""
#: The cases of these orders that are decided already: events of two topics come in any order.
_ANSWERED = """
SELECT DISTINCT facts->>'case_id' FROM mails
WHERE order_id = ANY(CAST(:orders AS uuid[])) AND kind IN ('cancelled', 'denied', 'refund')
  AND facts->>'case_id' IS NOT NULL
"""
#: The decision says more than that the request is registered.
_MERGE_REGISTERED = """
UPDATE mails SET state = 'merged' WHERE kind = 'registered' AND subject_id = ANY(CAST(:cases AS uuid[]))
  AND state IN ('waiting', 'due')
"""


async def _whole(tx: Tx, settled: Sequence[RefundSettled]) -> list[RefundSettled]:
    """The refunds that leave nothing of the payment. A part, or a surplus capture (RF 2.4), leaves the order as it is.

    An event of an earlier release does not say what is left: then the amounts decide, where the payment is stored.
    """
    of_payment = [event for event in settled if event.charge_id is None and not event.is_part]
    unknown = [event.order_id for event in of_payment if event.remaining_payment is None]
    paid = {row.order_id: row.amount for row in await tx.execute(_PAID, orders=unknown)} if unknown else {}
    return [
        event
        for event in of_payment
        if event.remaining_payment is not None or event.amount.amount >= paid.get(event.order_id, 0)
    ]


def _attempt(event: RefundFailed | RefundRetried) -> UUID:
    """The subject of the email about one attempt of a refund."""
    return uuid_for("refund-attempt", str(event.refund_id), str(event.attempt))


class RefundHandlers:
    """Handlers of events about refunds and claims."""

    def __init__(self, queue: EmailQueue, settings: Settings) -> None:
        self._queue = queue
        self._gather = timedelta(seconds=settings.gather_seconds)
        # Most requests are decided within minutes, when the operator has reported: one email then says all.
        self._register_after = 3 * timedelta(seconds=settings.delay_mail_after_seconds)

    async def refund_approved(self, tx: Tx, batch: Sequence[Received[RefundApproved]]) -> None:
        """Explain the refund. The email waits a moment: if the bank accepts meanwhile, one email says both."""
        await self._merge_registered(tx, batch)
        events = by_subject(batch, lambda event: event.refund_id)
        await self._queue.add(tx, "refund", events, after=self._gather)

    async def refund_settled(self, tx: Tx, batch: Sequence[Received[RefundSettled]]) -> None:
        """The bank accepted the refund: say when the money arrives, in the email of the approval if it still waits."""
        whole = await _whole(tx, [received.event for received in batch])
        rows = [{**order_fields(event), "refunded_at": event.settled_at} for event in whole]
        await tx.record_facts(orders, "order_id", rows)
        events = by_subject(batch, lambda event: event.refund_id)
        # A payment by a person has an email of its own: the approval says that the bank returns the money.
        by_bank = sorted(received.event.refund_id for received in batch if received.event.way is None)
        # Only in the first half of the waiting time: later, a worker may be about to send the approval.
        added = await tx.execute(
            _ADD_TO_APPROVAL,
            ids=by_bank,
            facts=[events[key].event.model_dump_json() for key in by_bank],
            held=tx.now - self._gather / 2,
        )
        merged = set(added.scalars())
        await self._queue.add_merged(tx, "settled", {key: events[key] for key in events if key in merged})
        if len(merged) < len(events):
            await self._queue.add(tx, "settled", {key: events[key] for key in events if key not in merged})

    async def refund_failed(self, tx: Tx, batch: Sequence[Received[RefundFailed]]) -> None:
        """The bank refused. The first refusal is an email; later ones are shown on the account page."""
        first = [received for received in batch if (received.event.attempt or 1) == 1]
        if first:
            await self._queue.add(tx, "refused", by_subject(first, lambda event: event.refund_id))
        later = [received for received in batch if (received.event.attempt or 1) > 1]
        await self._queue.add_merged(tx, "refused", by_subject(later, _attempt))

    async def refund_retried(self, tx: Tx, batch: Sequence[Received[RefundRetried]]) -> None:
        """The refund was sent to the bank again: shown on the account page only. Its end is an email."""
        await self._queue.add_merged(tx, "retried", by_subject(batch, _attempt))

    async def refund_paid_by_hand(self, tx: Tx, batch: Sequence[Received[RefundPaidByHand]]) -> None:
        """A partial payment is an email. The last one is reported by RefundSettled, which follows at once."""
        events = by_subject(batch, lambda event: event.payment_id)
        whole = {received.event.payment_id for received in batch if received.event.left.amount == 0}
        await self._queue.add_merged(tx, "paid_by_hand", {key: events[key] for key in events if key in whole})
        if len(whole) < len(events):
            await self._queue.add(tx, "paid_by_hand", {key: events[key] for key in events if key not in whole})

    async def information_needed(self, tx: Tx, batch: Sequence[Received[InformationNeeded]]) -> None:
        """RF 4.3: say exactly what is missing."""
        await self._email(tx, "information", batch, lambda e: (str(e.case_id), e.asked_at.isoformat()))

    async def request_registered(self, tx: Tx, batch: Sequence[Received[RequestRegistered]]) -> None:
        """Say by when the request is decided, unless the decision follows at once: that email then says all."""
        events = by_subject(batch, lambda event: event.case_id)
        orders_ = sorted(received.event.order_id for received in batch)
        answered = set((await tx.execute(_ANSWERED, orders=orders_)).scalars())
        late = {key: event for key, event in events.items() if str(key) in answered}
        await self._queue.add_merged(tx, "registered", late)
        if len(late) < len(events):
            waiting = {key: event for key, event in events.items() if key not in late}
            await self._queue.add(tx, "registered", waiting, after=self._register_after)

    async def cancellation_accepted(self, tx: Tx, batch: Sequence[Received[CancellationAccepted]]) -> None:
        """RC 5, 6: say what becomes of the eSIM. The refund follows with an email of its own."""
        await self._merge_registered(tx, batch)
        await self._queue.add(tx, "cancelled", by_subject(batch, lambda event: event.case_id))

    async def _merge_registered(
        self, tx: Tx, batch: Sequence[Received[CancellationAccepted | RefundApproved | RefundDenied]]
    ) -> None:
        await tx.execute(_MERGE_REGISTERED, cases=sorted({received.event.case_id for received in batch}))

    async def refund_denied(self, tx: Tx, batch: Sequence[Received[RefundDenied]]) -> None:
        """RF 6: say the grounds, and how to appeal."""
        await self._merge_registered(tx, batch)
        await self._email(tx, "denied", batch, lambda e: (str(e.case_id), e.denied_at.isoformat()))

    async def appeal_received(self, tx: Tx, batch: Sequence[Received[AppealReceived]]) -> None:
        """Say that another person reviews the decision."""
        await self._email(tx, "appeal", batch, lambda e: (str(e.case_id), e.received_at.isoformat()))

    async def claim_received(self, tx: Tx, batch: Sequence[Received[ClaimReceived]]) -> None:
        """PO 7.3: say that the claim is answered within 30 calendar days."""
        await self._queue.add(tx, "claim", by_subject(batch, lambda event: event.claim_id))

    async def claim_answered(self, tx: Tx, batch: Sequence[Received[ClaimAnswered]]) -> None:
        """PO 7.3: say that the claim was answered another way. An answer of ours is an email already: `answer`."""
        events = by_subject(batch, lambda event: event.claim_id)
        mailed = {received.event.claim_id for received in batch if received.event.answer_id is not None}
        await self._queue.add_merged(tx, "claim_answered", {claim: events[claim] for claim in mailed})
        others = {claim: traced for claim, traced in events.items() if claim not in mailed}
        if others:
            await self._queue.add(tx, "claim_answered", others)

    async def support_answered(self, tx: Tx, batch: Sequence[Received[SupportAnswered]]) -> None:
        """What an agent wrote to the buyer."""
        await self._queue.add(tx, "answer", by_subject(batch, lambda event: event.answer_id))

    async def _email(
        self, tx: Tx, kind: str, batch: Sequence[Received[E]], subject: Callable[[E], tuple[str, str]]
    ) -> None:
        """Create one email per answer; a case may have several answers of one kind."""
        await self._queue.add(tx, kind, by_subject(batch, lambda event: uuid_for(kind, *subject(event))))
