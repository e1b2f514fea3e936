"""Newsletters in the database: created once, planned in ranges of recipients, sent once to each.

Each recipient is stored as `sending` before the mail server is called. Consent is checked twice: when a newsletter is
planned, and right before it is sent. One newsletter a day for each buyer is a constraint of the table (PP 4.6).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any, Literal
from uuid import UUID

from notifications.newsletters.models import Newsletter, NewsletterText, PlanPayload, RecipientRange, RecipientResult
from notifications.tables import newsletters
from shared.database import Tx
from shared.kernel.problems import LimitReachedError

#: Newsletters of one shop within 24 hours. Agents have no limit.
MAX_A_DAY = 20
_DAY = timedelta(days=1)
#: So many recipients are planned in one transaction.
RANGE_SIZE = 1000
_LOCK_SHOP = "SELECT pg_advisory_xact_lock(hashtextextended('newsletters of ' || CAST(:storefront AS text), 0))"
_COUNT_OF_DAY = """
SELECT count(*) FILTER (WHERE created_at > :since AND author NOT LIKE 'agent %') AS of_day,
  count(*) FILTER (WHERE newsletter_id = :id) AS existing
FROM newsletters WHERE storefront = :storefront
"""
_FIND = """
SELECT newsletter_id, storefront, letters, skipped, created_at, planned_at, stopped_at FROM newsletters
WHERE newsletter_id = :id
"""
_STATES = "SELECT state, count(*) AS recipients FROM newsletter_recipients WHERE newsletter_id = :id GROUP BY state"
_STOP = "UPDATE newsletters SET stopped_at = COALESCE(stopped_at, :now) WHERE newsletter_id = :id"
_SKIP_PLANNED = """
UPDATE newsletter_recipients SET state = 'skipped', day = NULL, settled_at = :now
WHERE newsletter_id = :id AND state = 'planned'
"""
_PLAN = """
WITH chosen AS (
  SELECT c.buyer_id FROM contacts c
  WHERE c.newsletter AND c.storefront = :storefront AND NOT c.blocked AND c.email IS NOT NULL
    AND c.language = ANY(CAST(:languages AS text[]))
    AND (CAST(:after AS uuid) IS NULL OR c.buyer_id > CAST(:after AS uuid))
    AND NOT EXISTS (SELECT 1 FROM newsletter_suppressions s WHERE s.buyer_id = c.buyer_id)
  ORDER BY c.buyer_id LIMIT :most),
made AS (
  INSERT INTO newsletter_recipients (newsletter_id, buyer_id, mail_id, day, state)
  SELECT :id, buyer_id, gen_random_uuid(), :day, 'planned' FROM chosen ORDER BY buyer_id
  ON CONFLICT DO NOTHING RETURNING buyer_id)
SELECT (SELECT count(*) FROM chosen) AS chosen, (SELECT count(*) FROM made) AS made,
       (SELECT buyer_id FROM chosen ORDER BY buyer_id DESC LIMIT 1) AS last
"""
_COUNT_PLANNED = """
UPDATE newsletters SET skipped = skipped + :skipped, planned_at = CASE WHEN :ended THEN :now ELSE planned_at END
WHERE newsletter_id = :id
"""
#: Emails that were being sent when a process ended: they may have arrived, and are not sent again.
_MARK_UNKNOWN = """
UPDATE newsletter_recipients SET state = 'unknown', settled_at = :now
WHERE newsletter_id = :id AND state = 'sending'
  AND (CAST(:after AS uuid) IS NULL OR buyer_id > CAST(:after AS uuid)) AND buyer_id <= :last
"""
#: A mailbox has one newsletter or reminder a day (`mailbox_days`); a repetition of the same one has its day already.
_TAKE = """
WITH next AS (
  SELECT buyer_id, mail_id FROM newsletter_recipients
  WHERE newsletter_id = :id AND state = 'planned'
    AND (CAST(:after AS uuid) IS NULL OR buyer_id > CAST(:after AS uuid)) AND buyer_id <= :last
  ORDER BY buyer_id LIMIT :most FOR UPDATE SKIP LOCKED),
checked AS (
  SELECT n.buyer_id, n.mail_id, c.name, c.email, c.language, c.storefront,
    encode(sha256(convert_to(COALESCE(c.mailbox_key, lower(c.email)), 'UTF8')), 'hex') AS mailbox,
    c.newsletter AND NOT c.blocked AND c.email IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM newsletter_suppressions s WHERE s.buyer_id = n.buyer_id)
    AND NOT EXISTS (SELECT 1 FROM newsletter_recipients o
                    WHERE o.buyer_id = n.buyer_id AND o.day = :today AND o.newsletter_id <> :id) AS wanted
  FROM next n LEFT JOIN contacts c USING (buyer_id)),
days AS (
  INSERT INTO mailbox_days AS d (day, storefront, mailbox, buyer_id, kind, subject_id)
  SELECT DISTINCT ON (storefront, mailbox) CAST(:today AS date), storefront, mailbox, buyer_id, 'newsletter', mail_id
  FROM checked WHERE wanted ORDER BY storefront, mailbox, buyer_id
  ON CONFLICT (day, storefront, mailbox) DO UPDATE SET kind = EXCLUDED.kind
  WHERE d.kind = EXCLUDED.kind AND d.subject_id = EXCLUDED.subject_id
  RETURNING d.subject_id)
UPDATE newsletter_recipients r
SET state = CASE WHEN days.subject_id IS NULL THEN 'skipped' ELSE 'sending' END, settled_at = :now,
    day = CASE WHEN days.subject_id IS NOT NULL THEN CAST(:today AS date) END
FROM checked k LEFT JOIN days ON days.subject_id = k.mail_id WHERE r.newsletter_id = :id AND r.buyer_id = k.buyer_id
RETURNING r.buyer_id, r.mail_id, r.state, k.name, k.email, k.language
"""
_SETTLE = """
UPDATE newsletter_recipients r SET state = s.state, smtp_code = s.code, settled_at = :now
FROM unnest(CAST(:buyers AS uuid[]), CAST(:states AS text[]), CAST(:codes AS int[])) AS s(buyer_id, state, code)
WHERE r.newsletter_id = :id AND r.buyer_id = s.buyer_id AND r.state IN ('sending', 'unknown')
"""
_SUPPRESS = """
INSERT INTO newsletter_suppressions (buyer_id, reason, since)
SELECT buyer_id, :reason, :now FROM contacts
WHERE buyer_id = ANY(CAST(:buyers AS uuid[])) AND erased_at IS NULL ORDER BY buyer_id
ON CONFLICT DO NOTHING
"""
_LOCK_MAILBOX = """
SELECT pg_advisory_xact_lock(hashtextextended('newsletter ' || storefront || ' ' || mailbox_key, 0))
FROM contacts WHERE buyer_id = :buyer
"""

#: One contact stands for all orders of a mailbox and stays the same, so that the mailbox gets one newsletter a day.
_AGREE = """
WITH speaker AS (
  SELECT s.buyer_id FROM contacts c JOIN contacts s ON s.storefront = c.storefront AND s.mailbox_key = c.mailbox_key
  WHERE c.buyer_id = :buyer AND c.email = :email AND (s.newsletter OR s.buyer_id = c.buyer_id)
  ORDER BY s.newsletter DESC, s.buyer_id LIMIT 1),
unsuppressed AS (DELETE FROM newsletter_suppressions WHERE buyer_id IN (SELECT buyer_id FROM speaker))
UPDATE contacts SET newsletter = true, newsletter_at = :now
WHERE buyer_id IN (SELECT buyer_id FROM speaker) AND erased_at IS NULL
"""
_READER = """
SELECT c.storefront, c.language, s.buyer_id IS NOT NULL AS suppressed
FROM contacts c LEFT JOIN newsletter_suppressions s USING (buyer_id) WHERE c.buyer_id = :buyer AND c.erased_at IS NULL
"""
_UNSUPPRESS = "DELETE FROM newsletter_suppressions WHERE buyer_id = :buyer"
_BOUNCED = """
UPDATE newsletter_recipients SET state = 'bounced', smtp_code = :code
WHERE mail_id = :mail AND state IN ('sent', 'sending', 'unknown') RETURNING buyer_id
"""


async def check_limit(tx: Tx, newsletter_id: UUID, storefront: str) -> None:
    """Raises LimitReachedError if this shop had its newsletters of 24 hours. Repeating a request counts once.

    Requests of one shop wait for each other.
    """
    await tx.execute(_LOCK_SHOP, storefront=storefront)
    counted = (await tx.execute(_COUNT_OF_DAY, id=newsletter_id, storefront=storefront, since=tx.now - _DAY)).one()
    if counted.existing == 0 and counted.of_day >= MAX_A_DAY:
        raise LimitReachedError(
            "newsletters",
            f"A shop may have {MAX_A_DAY} newsletters sent within 24 hours, and had them; they are sent as requested. "
            "Each buyer gets one a day anyway: put all languages into one newsletter, and send this one tomorrow.",
            again=_DAY,
        )


async def create(
    tx: Tx, newsletter_id: UUID, storefront: str, author: str, texts: Mapping[str, NewsletterText]
) -> bool:
    """Create a newsletter and schedule its planning. Returns False if another one has this id."""
    stored_texts = {language: asdict(text) for language, text in texts.items()}
    row = {
        "newsletter_id": newsletter_id,
        "storefront": storefront,
        "author": author,
        "letters": stored_texts,
        "created_at": tx.now,
    }
    if await tx.insert(newsletters, [row], returning="newsletter_id"):
        schedule_plan(tx, newsletter_id, None)
        return True
    existing = (await tx.execute(_FIND, id=newsletter_id)).one()
    return bool(existing.letters == stored_texts)


def schedule_plan(tx: Tx, newsletter_id: UUID, after: UUID | None) -> None:
    """Schedule the planning of the recipients after that id."""
    payload = PlanPayload(newsletter_id=newsletter_id, after=after)
    tx.schedule("plan_newsletter", f"{newsletter_id}:{after or ''}", payload)


async def find(tx: Tx, newsletter_id: UUID, *, lock: bool = False) -> Newsletter | None:
    """Read a newsletter, or None. With `lock` nobody can stop it before this transaction ends."""
    row = (await tx.execute(_FIND + ("FOR UPDATE" if lock else ""), id=newsletter_id)).one_or_none()
    if row is None:
        return None
    texts = {language: NewsletterText(**text) for language, text in row.letters.items()}
    return Newsletter(row.newsletter_id, row.storefront, texts, row.stopped_at is not None)


async def progress(tx: Tx, newsletter_id: UUID) -> dict[str, Any]:
    """Count recipients by state. `planned` counts all of them; `skipped` includes those left out at the planning."""
    row = (await tx.execute(_FIND, id=newsletter_id)).one()
    states = {row.state: row.recipients for row in await tx.execute(_STATES, id=newsletter_id)}
    return {
        "newsletter_id": row.newsletter_id,
        "storefront": row.storefront,
        "created_at": row.created_at,
        "planned_at": row.planned_at,
        "stopped_at": row.stopped_at,
        "planned": sum(states.values()),
        "left": states.get("planned", 0) + states.get("sending", 0),
        "sent": states.get("sent", 0) + states.get("bounced", 0),
        "bounced": states.get("bounced", 0),
        "failed": states.get("failed", 0),
        "unknown": states.get("unknown", 0),
        "skipped": row.skipped + states.get("skipped", 0),
    }


async def stop(tx: Tx, newsletter_id: UUID) -> None:
    """Stop a newsletter: it is sent to nobody else."""
    await tx.execute(_STOP, id=newsletter_id, now=tx.now)
    await tx.execute(_SKIP_PLANNED, id=newsletter_id, now=tx.now)


async def plan(tx: Tx, newsletter: Newsletter, after: UUID | None, day: date) -> None:
    """Store the next recipients, and schedule sending to them and the planning of those after them."""
    row = (
        await tx.execute(
            _PLAN,
            id=newsletter.newsletter_id,
            storefront=newsletter.storefront,
            languages=sorted(newsletter.texts),
            after=after,
            most=RANGE_SIZE,
            day=day,
        )
    ).one()
    if row.made:
        payload = RecipientRange(newsletter_id=newsletter.newsletter_id, after=after, last=row.last)
        tx.schedule("send_newsletter", f"{newsletter.newsletter_id}:{row.last}", payload)
    ended = row.chosen < RANGE_SIZE
    if not ended:
        schedule_plan(tx, newsletter.newsletter_id, row.last)
    await tx.execute(
        _COUNT_PLANNED, id=newsletter.newsletter_id, skipped=row.chosen - row.made, ended=ended, now=tx.now
    )


async def mark_unknown(tx: Tx, recipients: RecipientRange) -> None:
    """Mark as unknown what was being sent when an earlier attempt was interrupted."""
    await tx.execute(
        _MARK_UNKNOWN, id=recipients.newsletter_id, after=recipients.after, last=recipients.last, now=tx.now
    )


async def take(tx: Tx, recipients: RecipientRange, after: UUID | None, most: int, today: date) -> list[Any]:
    """Take the next recipients (buyer_id, mail_id, state, name, email, language) after that id, sorted by id.

    Those in state `sending` are sent to after the commit. The others no longer want the newsletter.
    """
    rows = await tx.execute(
        _TAKE, id=recipients.newsletter_id, after=after, last=recipients.last, most=most, today=today, now=tx.now
    )
    return sorted(rows, key=lambda row: row.buyer_id.int)


async def settle(tx: Tx, recipients: RecipientRange, results: Sequence[RecipientResult]) -> None:
    """Store what became of the emails. Mailboxes that refused one get no further newsletters."""
    await tx.execute(
        _SETTLE,
        id=recipients.newsletter_id,
        buyers=[result.buyer_id for result in results],
        states=[result.state for result in results],
        codes=[result.smtp_code for result in results],
        now=tx.now,
    )
    refused = [result.buyer_id for result in results if result.state == "failed" and result.smtp_code is not None]
    if refused:
        await suppress(tx, refused, "refused")


async def agree(tx: Tx, buyer_id: UUID, email: str) -> None:
    """Store the consent of this contact's mailbox to newsletters. It ends an earlier suppression."""
    await tx.execute(_LOCK_MAILBOX, buyer=buyer_id)
    await tx.execute(_AGREE, buyer=buyer_id, email=email, now=tx.now)


async def suppress(tx: Tx, buyers: Sequence[UUID], reason: Literal["unsubscribed", "refused", "bounced"]) -> None:
    """Add these buyers to the suppression list: they get no further newsletters."""
    await tx.execute(_SUPPRESS, buyers=list(buyers), reason=reason, now=tx.now)


async def unsuppress(tx: Tx, buyer_id: UUID) -> None:
    """Remove this buyer from the suppression list."""
    await tx.execute(_UNSUPPRESS, buyer=buyer_id)


async def reader(tx: Tx, buyer_id: UUID) -> Any:
    """The reader's row (storefront, language, suppressed); None if there is no such buyer any more."""
    return (await tx.execute(_READER, buyer=buyer_id)).one_or_none()


async def bounced(tx: Tx, mail_id: UUID, code: int) -> bool:
    """Store that a newsletter bounced for good. Returns False if that is stored already, or it was never sent."""
    buyer = (await tx.execute(_BOUNCED, mail=mail_id, code=code)).scalar()
    if buyer is not None:
        await suppress(tx, [buyer], "bounced")
    return buyer is not None
