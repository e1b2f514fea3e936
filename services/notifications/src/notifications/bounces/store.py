"""Mails that came back: what a bounce changes, and who hears of it."""

from uuid import UUID

from notifications.bounces.rules import Bounce
from notifications.delivery import delivery_failed
from notifications.emails import ProfileWithReceipt
from notifications.newsletters import bounced as newsletter_bounced
from shared.database import Tx

_SOFT = """
UPDATE mails SET soft_bounces = soft_bounces + 1
WHERE kind = :kind AND subject_id = :subject AND state IN ('sent', 'due') RETURNING state
"""
#: A mail whose acceptance was never confirmed (`due`, uncertain) can come back too.
_HARD = """
UPDATE mails m SET state = 'bounced', smtp_code = :code, enhanced_code = :enhanced, bounced_at = :now
WHERE kind = :kind AND subject_id = :subject AND state IN ('sent', 'due')
RETURNING m.facts, m.trace, EXISTS (
  SELECT 1 FROM mails later WHERE later.order_id = m.order_id AND later.kind IN ('qr', 'resend')
    AND later.created_at > m.created_at AND later.state IN ('waiting', 'due', 'sent')) AS sent_again
"""


async def returned(tx: Tx, kind: str, subject_id: UUID, bounce: Bounce) -> bool:
    """Note a bounce; the first final one of a code is told, unless the code has gone elsewhere since.

    False where no such mail is out: it has come back already, or was never sent.
    """
    if kind == "newsletter":
        return bounce.final and await newsletter_bounced(tx, subject_id, bounce.smtp_code)
    if not bounce.final:
        return bool((await tx.execute(_SOFT, kind=kind, subject=subject_id)).all())
    row = (
        await tx.execute(
            _HARD,
            kind=kind,
            subject=subject_id,
            code=bounce.smtp_code,
            enhanced=bounce.enhanced_code,
            now=tx.now,
        )
    ).one_or_none()
    if row is None:
        return False
    # Of a buyer who was forgotten nothing is told: the fact is empty.
    if kind in {"qr", "resend"} and row.facts and not row.sent_again:
        fact = ProfileWithReceipt.model_validate(row.facts)
        tx.publish(delivery_failed(fact, bounce.smtp_code, bounce.enhanced_code, tx.now), trace=row.trace)
    return True
