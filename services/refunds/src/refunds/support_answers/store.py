"""Stores what agents wrote to buyers, for a limited time."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from refunds.tables import support_answers
from shared.database import Tx

_ABOUT = "SELECT * FROM support_answers WHERE case_id = :about OR claim_id = :about ORDER BY at DESC, answer_id"
_OF_ORDER = "SELECT * FROM support_answers WHERE order_id = :order ORDER BY at DESC, answer_id"
_ERASED = "SELECT 1 FROM contacts WHERE buyer_id = :buyer AND erased_at IS NOT NULL"
#: Run with `:buyers` (PP 6.2).
ERASE_ANSWERS = "DELETE FROM support_answers WHERE buyer_id = ANY(CAST(:buyers AS uuid[]))"
DELETE_OLD_ANSWERS = "DELETE FROM support_answers WHERE keep_until < :now"


async def insert(
    tx: Tx,
    answer_id: UUID,
    order: Any,
    *,
    case_id: UUID | None,
    claim_id: UUID | None,
    who: str,
    text: str,
    keep: timedelta,
) -> bool:
    """Store an answer. False where it is stored already: its form was sent twice."""
    row = {
        "answer_id": answer_id,
        "order_id": order.order_id,
        "buyer_id": order.buyer_id,
        "case_id": case_id,
        "claim_id": claim_id,
        "at": tx.now,
        "who": who,
        "text": text,
        "keep_until": tx.now + keep,
    }
    return bool(
        list(await tx.insert(support_answers, [row], on_conflict="ON CONFLICT DO NOTHING", returning="answer_id"))
    )


async def is_erased(tx: Tx, buyer_id: UUID) -> bool:
    """Whether the buyer's data were erased, so that no address is stored anywhere."""
    return (await tx.execute(_ERASED, buyer=buyer_id)).first() is not None


async def answers_about(tx: Tx, about: UUID) -> Sequence[Any]:
    """What agents wrote about a case or a claim, the newest first."""
    return (await tx.execute(_ABOUT, about=about)).all()


async def answers_of_order(tx: Tx, order_id: UUID) -> Sequence[Any]:
    """What agents wrote about an order, the newest first."""
    return (await tx.execute(_OF_ORDER, order=order_id)).all()
