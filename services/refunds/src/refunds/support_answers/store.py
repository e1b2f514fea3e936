"""Stores what agents wrote to buyers, for a limited time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from refunds.tables import answer_templates, support_answers
from shared.database import Tx

_ABOUT = "SELECT * FROM support_answers WHERE case_id = :about OR claim_id = :about ORDER BY at DESC, answer_id"
_OF_ORDER = "SELECT * FROM support_answers WHERE order_id = :order ORDER BY at DESC, answer_id"
_ERASED = "SELECT 1 FROM contacts WHERE buyer_id = :buyer AND erased_at IS NOT NULL"
#: Run with `:buyers` (PP 6.2).
ERASE_ANSWERS = "DELETE FROM support_answers WHERE buyer_id = ANY(CAST(:buyers AS uuid[]))"
_TEMPLATES = """
SELECT * FROM answer_templates WHERE CAST(:storefront AS text) IS NULL OR storefront = :storefront
ORDER BY storefront, language, name
"""
_TEMPLATE = "SELECT * FROM answer_templates WHERE template_id = :id"
_CHANGE_TEMPLATE = """
UPDATE answer_templates SET text = :text, changed_at = :now, changed_by = :who
WHERE template_id = :id AND changed_at = :was RETURNING template_id
"""
_DELETE_TEMPLATE = "DELETE FROM answer_templates WHERE template_id = :id AND changed_at = :was RETURNING template_id"
DELETE_OLD_ANSWERS = "DELETE FROM support_answers WHERE keep_until < :now"


async def templates_of(tx: Tx, storefront: str | None = None) -> Sequence[Any]:
    """The templates of a shop, or of all shops, by language and name."""
    return (await tx.execute(_TEMPLATES, storefront=storefront)).all()


async def template(tx: Tx, template_id: UUID) -> Any:
    """A template, or None."""
    return (await tx.execute(_TEMPLATE, id=template_id)).one_or_none()


async def add_template(
    tx: Tx, template_id: UUID, who: str, storefront: str, language: str, name: str, text: str
) -> bool:
    """Store a template. False where the shop has one of this name in this language."""
    row = {
        "template_id": template_id,
        "storefront": storefront,
        "language": language,
        "name": name,
        "text": text,
        "changed_at": tx.now,
        "changed_by": who,
    }
    added = await tx.insert(answer_templates, [row], on_conflict="ON CONFLICT DO NOTHING", returning="template_id")
    return bool(list(added))


async def change_template(tx: Tx, template_id: UUID, who: str, text: str | None, was: datetime) -> bool:
    """Give a template a new text, or delete it (None). False where it has changed since `was`."""
    sql = _DELETE_TEMPLATE if text is None else _CHANGE_TEMPLATE
    given = {} if text is None else {"text": text, "now": tx.now, "who": who}
    return (await tx.execute(sql, id=template_id, was=was, **given)).first() is not None


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
