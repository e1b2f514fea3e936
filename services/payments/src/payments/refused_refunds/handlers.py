"""Handlers of agents' actions on refused refunds. Each action is accepted or refused, once, and answered.

Actions come as events from refunds, because no service calls another. They are rare, so each is handled by itself.
"""

from collections.abc import Sequence
from uuid import UUID

from payments.refunds import REFUND, try_again
from payments.refused_refunds import store
from payments.refused_refunds.models import HAND_PAYMENT, Refusal
from payments.refused_refunds.rules import refuse_decision, refuse_payment, refuse_retry
from shared.contracts import (
    HandPaymentDecided,
    HandPaymentRecorded,
    OrderEvent,
    RefundActionAnswered,
    RefundRetryRequested,
)
from shared.database import Tx
from shared.messaging.consumer import Received
from shared.telemetry.logging import get_logger

log = get_logger(__name__)


async def refund_retry_requested(tx: Tx, batch: Sequence[Received[RefundRetryRequested]]) -> None:
    """Begin another attempt of refused refunds; the task asks the bank for the status before it calls."""
    for received in sorted(batch, key=_by_order):
        event = received.event
        if not await store.claim(tx, event.action_id, event.refund_id, "retry", event.requested_by):
            continue
        refusal = refuse_retry(await store.standing(tx, event.refund_id))
        if refusal is None:
            retried = await try_again(tx, event.refund_id)
            assert retried is not None  # noqa: S101 - its state was read under the lock
            tx.publish(retried, trace=received.trace)
            tx.schedule(REFUND, str(event.refund_id), trace=received.trace)
        await _answer(tx, received, event.refund_id, event.action_id, refusal)


async def hand_payment_recorded(tx: Tx, batch: Sequence[Received[HandPaymentRecorded]]) -> None:
    """Reserve what a person paid another way until a second person decides."""
    for received in sorted(batch, key=_by_order):
        event = received.event
        if not await store.claim(tx, event.payment_id, event.refund_id, "hand_payment", event.recorded_by):
            continue
        refusal = refuse_payment(
            await store.standing(tx, event.refund_id),
            amount=event.amount.amount,
            currency=event.amount.currency,
            way=event.way,
        )
        if refusal is None:
            refusal = await store.record(tx, event)
        await _answer(tx, received, event.refund_id, event.payment_id, refusal)


async def hand_payment_decided(tx: Tx, batch: Sequence[Received[HandPaymentDecided]]) -> None:
    """Confirmed: a task asks the bank once more and then books it. Rejected: the refund is refused as before."""
    for received in sorted(batch, key=_by_order):
        event = received.event
        if not await store.claim(tx, event.decision_id, event.refund_id, "decision", event.decided_by):
            continue
        refusal = refuse_decision(await store.payment_standing(tx, event.payment_id), by=event.decided_by)
        if refusal is None and event.confirmed:
            await store.decide(tx, event)
            tx.schedule(HAND_PAYMENT, str(event.payment_id), trace=received.trace)
            continue  # the task answers, after it has asked the bank
        if refusal is None:
            await store.drop(
                tx,
                event.payment_id,
                state="rejected",
                refusal=None,
                decision_id=event.decision_id,
                by=event.decided_by,
            )
        await _answer(tx, received, event.refund_id, event.decision_id, refusal)


async def _answer(
    tx: Tx, received: Received[OrderEvent], refund_id: UUID, action_id: UUID, refusal: Refusal | None
) -> None:
    event = received.event
    if refusal is not None:
        await store.answer(tx, action_id, refusal)
        log.warning("refund_action_refused", refund_id=str(refund_id), reason=refusal)
    answered = RefundActionAnswered(
        **{name: getattr(event, name) for name in OrderEvent.model_fields},
        refund_id=refund_id,
        action_id=action_id,
        accepted=refusal is None,
        reason=refusal,
        answered_at=tx.now,
    )
    tx.publish(answered, trace=received.trace)


def _by_order(received: Received[OrderEvent]) -> int:
    """Every transaction locks orders in this sequence; the actions of one order keep theirs."""
    return received.event.order_id.int
