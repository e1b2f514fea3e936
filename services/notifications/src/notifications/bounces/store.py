"""Stores what a bounce changes, and publishes it."""

from uuid import UUID

from notifications.bounces.rules import Bounce
from notifications.delivery import delivery_failed
from notifications.emails import ProfileWithReceipt
from notifications.newsletters import bounced as newsletter_bounced
from shared.database import Tx

_COUNT_SOFT_BOUNCE = """
UPDATE mails SET soft_bounces = soft_bounces + 1
WHERE kind = :kind AND subject_id = :subject AND state IN ('sent', 'due') RETURNING state
"""
#: An email whose acceptance is unknown (`due`) can come back too.
_MARK_BOUNCED = """
UPDATE mails m SET state = 'bounced', smtp_code = :code, enhanced_code = :enhanced, bounced_at = :now
WHERE kind = :kind AND subject_id = :subject AND state IN ('sent', 'due')
RETURNING m.facts, m.trace, EXISTS (
  SELECT 1 FROM mails later WHERE later.order_id = m.order_id AND later.kind IN ('qr', 'resend')
    AND later.created_at > m.created_at AND later.state IN ('waiting', 'due', 'sent')) AS sent_again
"""


async def record(tx: Tx, kind: str, subject_id: UUID, bounce: Bounce) -> bool:
    """Store a bounce. The first final one of a code publishes DeliveryFailed, unless it was sent again.

    Returns False if no such email is sent: it came back before, or never existed.
    """
    if kind == "newsletter":
        return bounce.final and await newsletter_bounced(tx, subject_id, bounce.smtp_code)
    if not bounce.final:
        return bool((await tx.execute(_COUNT_SOFT_BOUNCE, kind=kind, subject=subject_id)).all())
    row = (
        await tx.execute(
            _MARK_BOUNCED,
            kind=kind,
            subject=subject_id,
            code=bounce.smtp_code,
            enhanced=bounce.enhanced_code,
            now=tx.now,
        )
    ).one_or_none()
    if row is None:
        return False
    # The facts of an erased buyer's email are empty: nothing is published about that buyer.
    if kind in {"qr", "resend"} and row.facts and not row.sent_again:
        profile = ProfileWithReceipt.model_validate(row.facts)
        tx.publish(delivery_failed(profile, bounce.smtp_code, bounce.enhanced_code, tx.now), trace=row.trace)
    return True
