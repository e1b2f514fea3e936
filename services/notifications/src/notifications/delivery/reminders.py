"""Reminders: emails that no contract demands, about low data and ends that approach.

A mailbox gets one a day, together with newsletters (PP 4.6), and none after a refund of the whole payment, or where it
refused an email or its owner switched them off. The day is stored before the mail server is called, so that no crash
makes two of one day.
"""

from datetime import date, datetime, time, timedelta
from typing import Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from notifications.delivery.models import EmailKey
from shared.database import Database, Tx
from shared.days import local_day

#: A reminder that waits for the next day is sent in the morning, and not at midnight.
_MORNING = time(9)
#: A day matters until it is over in every time zone.
_KEPT = timedelta(days=2)
_LOCK_CONTACT = "SELECT 1 FROM contacts WHERE buyer_id = :buyer AND erased_at IS NULL FOR SHARE"
#: All contacts of the mailbox: an order has a contact of its own.
_MAILBOX = """
WITH mine AS (
  SELECT buyer_id, storefront, mailbox_key, updated_at FROM contacts WHERE buyer_id = :buyer),
same AS (
  SELECT buyer_id FROM mine
  UNION SELECT s.buyer_id FROM contacts s JOIN mine USING (storefront, mailbox_key))
"""
#: Whether the refund that the email `x` is about leaves nothing of the payment of `o`. An event of an earlier release
#: does not say it: then the amounts decide, and where the payment is not stored the refund is taken for the whole.
WHOLE_REFUND = """
COALESCE(CAST(x.facts->'remaining_payment'->>'amount' AS bigint),
         CAST(o.paid->'paid'->>'amount' AS bigint) - CAST(x.facts->'amount'->>'amount' AS bigint), 0) <= 0
"""
_UNWANTED = f"""{_MAILBOX}
SELECT EXISTS (SELECT 1 FROM reminders_off JOIN same USING (buyer_id))
  OR EXISTS (SELECT 1 FROM newsletter_suppressions n JOIN same USING (buyer_id)
             WHERE n.reason IN ('refused', 'bounced'))
  OR EXISTS (SELECT 1 FROM mails x JOIN same USING (buyer_id), mine
             WHERE x.state IN ('refused', 'bounced') AND COALESCE(x.bounced_at, x.settled_at) > mine.updated_at)
  OR EXISTS (SELECT 1 FROM mails m JOIN mails x USING (order_id) LEFT JOIN orders o USING (order_id)
             WHERE m.kind = :kind AND m.subject_id = :subject AND x.kind = 'refund' AND x.facts->>'charge_id' IS NULL
               AND {WHOLE_REFUND})
"""
#: A repetition of the same email has its day already. The mailbox is stored as a digest.
_TAKE_DAY = """
INSERT INTO mailbox_days AS d (day, storefront, mailbox, buyer_id, kind, subject_id)
SELECT :today, storefront, encode(sha256(convert_to(COALESCE(mailbox_key, lower(email)), 'UTF8')), 'hex'), buyer_id,
       :kind, :subject
FROM contacts WHERE buyer_id = :buyer
ON CONFLICT (day, storefront, mailbox) DO UPDATE SET kind = EXCLUDED.kind
WHERE d.kind = EXCLUDED.kind AND d.subject_id = EXCLUDED.subject_id
RETURNING d.day
"""
_FORGET_DAYS = "DELETE FROM mailbox_days WHERE day < :before"
_OFF = """
INSERT INTO reminders_off (buyer_id, since)
SELECT buyer_id, :now FROM contacts WHERE buyer_id = :buyer AND erased_at IS NULL
ON CONFLICT DO NOTHING
"""
_ON = f"""{_MAILBOX}
DELETE FROM reminders_off o USING same WHERE o.buyer_id = same.buyer_id
"""
_IS_OFF = f"{_MAILBOX} SELECT EXISTS (SELECT 1 FROM reminders_off JOIN same USING (buyer_id))"

#: Send it, drop it for good, or try again after that time.
Admission = Literal["send", "drop"] | timedelta


async def admit(database: Database, email: EmailKey, buyer_id: UUID, zone: ZoneInfo) -> Admission:
    """Decide whether this reminder is sent now, and take the mailbox's day for it."""
    async with database.transaction("work") as tx:
        today = local_day(tx.now, zone)
        # An erasure waits for this row, or has erased it: no day is stored beside it.
        if (await tx.execute(_LOCK_CONTACT, buyer=buyer_id)).first() is None:
            return "drop"
        names = {"buyer": buyer_id, "kind": email.kind, "subject": email.subject_id}
        if (await tx.execute(_UNWANTED, **names)).scalar():
            return "drop"
        await tx.execute(_FORGET_DAYS, before=today - _KEPT)
        taken = (await tx.execute(_TAKE_DAY, today=today, **names)).first() is not None
        return "send" if taken else next_morning(today, zone) - tx.now


def next_morning(today: date, zone: ZoneInfo) -> datetime:
    """9:00 of the next day in the storefront's time zone."""
    return datetime.combine(today + timedelta(days=1), _MORNING, zone)


async def switch_off(tx: Tx, buyer_id: UUID) -> None:
    """Send no reminders to this buyer's mailbox."""
    await tx.execute(_OFF, buyer=buyer_id, now=tx.now)


async def switch_on(tx: Tx, buyer_id: UUID) -> None:
    """Send reminders to this buyer's mailbox again."""
    await tx.execute(_ON, buyer=buyer_id)


async def is_off(tx: Tx, buyer_id: UUID) -> bool:
    """Whether this buyer's mailbox gets no reminders."""
    return bool((await tx.execute(_IS_OFF, buyer=buyer_id)).scalar())
