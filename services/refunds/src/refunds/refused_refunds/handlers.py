"""Stores what payments reports about refused refunds: attempts, payments by hand, answers to agents' actions."""

from collections.abc import Sequence
from typing import TypeVar

from refunds.cases import Audit, CaseHandlers
from refunds.refused_refunds import store
from shared.contracts import (
    Event,
    OrderEvent,
    RefundActionAnswered,
    RefundFailed,
    RefundPaidByHand,
    RefundRetried,
)
from shared.database import Tx
from shared.messaging.consumer import Handler, Received
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
_SYSTEM = "system"
E = TypeVar("E", bound=OrderEvent)


class RefusedRefundHandlers:
    """Handles them, and has the open cases of these orders decided again."""

    def __init__(self, cases: CaseHandlers) -> None:
        self._cases = cases

    def handlers(self) -> dict[type[Event], Handler]:
        """The handler of each event. The handler of RefundFailed replaces the one of the cases, and calls it."""
        return {
            RefundFailed: self.refund_failed,
            RefundRetried: self.refund_retried,
            RefundPaidByHand: self.refund_paid_by_hand,
            RefundActionAnswered: self.action_answered,
        }

    async def refund_failed(self, tx: Tx, batch: Sequence[Received[RefundFailed]]) -> None:
        """Store the refusal, with its attempt, the bank's code and the amount that is still owed."""
        await self._cases.keep_refund_failed(tx, batch)
        for event in _in_lock_order(batch):
            await store.keep_failed(tx, event)
        audit = Audit(tx, _SYSTEM)
        for event in (received.event for received in batch):
            if (event.attempt or 1) > 1:
                case_id = await store.case_of_refund(tx, event.refund_id)
                audit.add_of("refund_refused_again", event.order_id, case_id, attempt=event.attempt)
        await audit.write()
        await self._cases.decide(tx, batch)

    async def refund_retried(self, tx: Tx, batch: Sequence[Received[RefundRetried]]) -> None:
        """Store that the bank is being asked again."""
        for event in _in_lock_order(batch):
            await store.keep_retried(tx, event)
        await self._cases.decide(tx, batch)

    async def refund_paid_by_hand(self, tx: Tx, batch: Sequence[Received[RefundPaidByHand]]) -> None:
        """Store that a part, or all, is paid. RefundSettled closes the case when nothing is owed any more."""
        audit = Audit(tx, _SYSTEM)
        for event in _in_lock_order(batch):
            await store.keep_paid_by_hand(tx, event)
            case_id = await store.case_of_refund(tx, event.refund_id)
            audit.add_of("paid_by_hand", event.order_id, case_id, amount_minor=event.amount.amount, way=event.way)
        await audit.write()

    async def action_answered(self, tx: Tx, batch: Sequence[Received[RefundActionAnswered]]) -> None:
        """Store that payments accepted or refused an action; agents see which, and why."""
        audit = Audit(tx, _SYSTEM)
        for event in _in_lock_order(batch):
            row = await store.keep_answer(tx, event)
            if row is None:
                continue
            what = "action_taken" if event.accepted else "action_refused"
            reason = {} if event.reason is None else {"reason": event.reason}
            audit.add_of(what, event.order_id, row.case_id, action=row.kind, **reason)
            if not event.accepted:
                log.warning("refund_action_refused", case_id=str(row.case_id), action=row.kind, reason=event.reason)
        await audit.write()


def _in_lock_order(batch: Sequence[Received[E]]) -> list[E]:
    """The events in the order in which every transaction locks their rows."""
    return sorted((received.event for received in batch), key=lambda event: event.order_id.int)
