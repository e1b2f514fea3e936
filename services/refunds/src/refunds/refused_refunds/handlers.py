"""What payments says about refused refunds: attempts, payments by hand, answers to agents' actions."""

from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

from refunds.cases import CaseService
from refunds.cases.store.cases import Audit
from refunds.refused_refunds import store
from shared.contracts import OrderEvent, RefundActionAnswered, RefundFailed, RefundPaidByHand, RefundRetried
from shared.database import Tx
from shared.ids import uuid7
from shared.messaging.consumer import Received
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
SYSTEM = "system"
E = TypeVar("E", bound=OrderEvent)


class RefusedHandlers:
    """Keeps them, and has the open cases of these orders brought up to date."""

    def __init__(self, case_service: CaseService) -> None:
        self._case_service = case_service

    async def refund_failed(self, tx: Tx, batch: Sequence[Received[RefundFailed]]) -> None:
        """The latest refusal and what is left; after the case's own handler, which keeps that there was one."""
        for received in _in_order(batch):
            await store.keep_failed(tx, received.event)
        audit = Audit(tx, SYSTEM)
        for received in batch:
            if (received.event.attempt or 1) > 1:
                case_id = await _case_of(tx, received.event.refund_id)
                _add(audit, "refund_refused_again", case_id, received.event, attempt=received.event.attempt)
        await audit.write()

    async def refund_retried(self, tx: Tx, batch: Sequence[Received[RefundRetried]]) -> None:
        """The bank is being asked again."""
        for received in _in_order(batch):
            await store.keep_retried(tx, received.event)
        await self._decide(tx, batch)

    async def refund_paid_by_hand(self, tx: Tx, batch: Sequence[Received[RefundPaidByHand]]) -> None:
        """A part, or all, is paid. RefundSettled closes the case when nothing is left."""
        audit = Audit(tx, SYSTEM)
        for received in _in_order(batch):
            event = received.event
            await store.keep_paid_by_hand(tx, event)
            case_id = await _case_of(tx, event.refund_id)
            _add(audit, "paid_by_hand", case_id, event, amount_minor=event.amount.amount, way=event.way)
        await audit.write()

    async def action_answered(self, tx: Tx, batch: Sequence[Received[RefundActionAnswered]]) -> None:
        """Payments took an action, or refused it; agents see which and why."""
        audit = Audit(tx, SYSTEM)
        for received in _in_order(batch):
            event = received.event
            row = await store.keep_answer(tx, event)
            if row is None:
                continue
            what = "action_taken" if event.accepted else "action_refused"
            _add(audit, what, row.case_id, event, action=row.kind, reason=event.reason)
            if not event.accepted:
                log.warning("refund_action_refused", case_id=str(row.case_id), action=row.kind, reason=event.reason)
        await audit.write()

    async def _decide(self, tx: Tx, batch: Sequence[Received[OrderEvent]]) -> None:
        traces = {received.event.order_id: received.trace for received in batch}
        await self._case_service.decide(tx, traces, traces)


def _in_order(batch: Sequence[Received[E]]) -> list[Received[E]]:
    """Rows are locked in one sequence by everybody."""
    return sorted(batch, key=lambda received: received.event.order_id.int)


async def _case_of(tx: Tx, refund_id: UUID) -> UUID | None:
    found: UUID | None = (await tx.execute("SELECT case_id FROM cases WHERE refund_id = :id", id=refund_id)).scalar()
    return found


def _add(audit: Audit, what: str, case_id: UUID | None, event: OrderEvent, **detail: object) -> None:
    audit.rows.append(
        {
            "entry_id": uuid7(),
            "case_id": case_id,
            "order_id": event.order_id,
            "at": audit.tx.now,
            "who": audit.who,
            "what": what,
            "detail": {name: value for name, value in detail.items() if value is not None},
        }
    )
