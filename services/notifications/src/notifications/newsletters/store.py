"""Newsletters in the database: made once, planned in pieces, sent once.

Each recipient is written down before the mail server is called.

Consent is asked twice: when a newsletter is planned, and right before it is sent. One a day for each buyer is a
constraint of the table (PP 4.6).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any, Literal
from uuid import UUID

from notifications.newsletters.rules import Letter
from notifications.tables import newsletters
from shared.database import Tx
from shared.kernel.problems import LimitReachedError

PIECE = 1000
#: Newsletters of one shop within 24 hours. Agents have no limit.
MOST_A_DAY = 20
_DAY = timedelta(days=1)
_ONE_BY_ONE = "SELECT pg_advisory_xact_lock(hashtextextended('newsletters of ' || CAST(:storefront AS text), 0))"
_OF_DAY = """
SELECT count(*) FILTER (WHERE created_at > :since AND author NOT LIKE 'agent %') AS of_day,
  count(*) FILTER (WHERE newsletter_id = :id) AS known
FROM newsletters WHERE storefront = :storefront
"""
Outcome = Literal["sent", "failed", "unknown", "planned"]
_FIND = """
SELECT newsletter_id, storefront, letters, skipped, created_at, planned_at, stopped_at FROM newsletters
WHERE newsletter_id = :id
"""
_STATES = "SELECT state, count(*) AS recipients FROM newsletter_recipients WHERE newsletter_id = :id GROUP BY state"
_STOP = "UPDATE newsletters SET stopped_at = COALESCE(stopped_at, :now) WHERE newsletter_id = :id"
_LEAVE_OUT = """
UPDATE newsletter_recipients SET state = 'skipped', day = NULL, settled_at = :now
WHERE newsletter_id = :id AND state = 'planned'
"""
_PLAN = """
WITH found AS (
  SELECT c.buyer_id FROM contacts c
  WHERE c.newsletter AND c.storefront = :storefront AND NOT c.blocked AND c.email IS NOT NULL
    AND c.language = ANY(CAST(:languages AS text[]))
    AND (CAST(:after AS uuid) IS NULL OR c.buyer_id > CAST(:after AS uuid))
    AND NOT EXISTS (SELECT 1 FROM newsletter_suppressions s WHERE s.buyer_id = c.buyer_id)
  ORDER BY c.buyer_id LIMIT :most),
made AS (
  INSERT INTO newsletter_recipients (newsletter_id, buyer_id, mail_id, day, state)
  SELECT :id, buyer_id, gen_random_uuid(), :day, 'planned' FROM found ORDER BY buyer_id
  ON CONFLICT DO NOTHING RETURNING buyer_id)
SELECT (SELECT count(*) FROM found) AS found, (SELECT count(*) FROM made) AS made,
       (SELECT buyer_id FROM found ORDER BY buyer_id DESC LIMIT 1) AS last
"""
_PLANNED = """
UPDATE newsletters SET skipped = skipped + :skipped, planned_at = CASE WHEN :ended THEN :now ELSE planned_at END
WHERE newsletter_id = :id
"""
#: A mail that was under way when its sender died: nobody knows whether it arrived, and it is not sent again.
_LOST = """
UPDATE newsletter_recipients SET state = 'unknown', settled_at = :now
WHERE newsletter_id = :id AND state = 'sending'
  AND (CAST(:after AS uuid) IS NULL OR buyer_id > CAST(:after AS uuid)) AND buyer_id <= :last
"""
_TAKE = """
WITH next AS (
  SELECT buyer_id FROM newsletter_recipients
  WHERE newsletter_id = :id AND state = 'planned'
    AND (CAST(:after AS uuid) IS NULL OR buyer_id > CAST(:after AS uuid)) AND buyer_id <= :last
  ORDER BY buyer_id LIMIT :most FOR UPDATE SKIP LOCKED),
checked AS (
  SELECT n.buyer_id, c.name, c.email, c.language,
    c.newsletter AND NOT c.blocked AND c.email IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM newsletter_suppressions s WHERE s.buyer_id = n.buyer_id)
    AND NOT EXISTS (SELECT 1 FROM newsletter_recipients o
                    WHERE o.buyer_id = n.buyer_id AND o.day = :today AND o.newsletter_id <> :id) AS wanted
  FROM next n LEFT JOIN contacts c USING (buyer_id))
UPDATE newsletter_recipients r
SET state = CASE WHEN k.wanted THEN 'sending' ELSE 'skipped' END, settled_at = :now,
    day = CASE WHEN k.wanted THEN CAST(:today AS date) END
FROM checked k WHERE r.newsletter_id = :id AND r.buyer_id = k.buyer_id
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
_ALONE = """
SELECT pg_advisory_xact_lock(hashtextextended('newsletter ' || storefront || ' ' || mailbox_key, 0))
FROM contacts WHERE buyer_id = :buyer
"""

#: The contact that speaks for the mailbox stays the same, so that the mailbox gets one a day whatever its orders.
_AGREE = """
WITH speaker AS (
  SELECT s.buyer_id FROM contacts c JOIN contacts s ON s.storefront = c.storefront AND s.mailbox_key = c.mailbox_key
  WHERE c.buyer_id = :buyer AND c.email = :email AND (s.newsletter OR s.buyer_id = c.buyer_id)
  ORDER BY s.newsletter DESC, s.buyer_id LIMIT 1),
heard AS (DELETE FROM newsletter_suppressions WHERE buyer_id IN (SELECT buyer_id FROM speaker))
UPDATE contacts SET newsletter = true, newsletter_at = :now
WHERE buyer_id IN (SELECT buyer_id FROM speaker) AND erased_at IS NULL
"""
_BOUNCED = """
UPDATE newsletter_recipients SET state = 'bounced', smtp_code = :code
WHERE mail_id = :mail AND state IN ('sent', 'sending', 'unknown') RETURNING buyer_id
"""


@dataclass(frozen=True, slots=True)
class Newsletter:
    """`letters` by language."""

    newsletter_id: UUID
    storefront: str
    letters: Mapping[str, Letter]
    stopped: bool


@dataclass(frozen=True, slots=True)
class RecipientRange:
    """Recipients with ids after `after` (None: from the first) up to `last`."""

    newsletter_id: UUID
    after: UUID | None
    last: UUID

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> "RecipientRange":
        """From a row of due work."""
        after = payload["after"]
        return cls(UUID(payload["newsletter"]), UUID(after) if after else None, UUID(payload["last"]))


async def check_room(tx: Tx, newsletter_id: UUID, storefront: str) -> None:
    """Whether this shop may have another newsletter sent today; one that it asks for again is no other.

    Those of a shop are counted one after the other. Raises LimitReachedError.
    """
    await tx.execute(_ONE_BY_ONE, storefront=storefront)
    counted = (await tx.execute(_OF_DAY, id=newsletter_id, storefront=storefront, since=tx.now - _DAY)).one()
    if counted.known == 0 and counted.of_day >= MOST_A_DAY:
        raise LimitReachedError(
            "newsletters",
            f"A shop may have {MOST_A_DAY} newsletters sent within 24 hours, and had them; they go out as asked. Each "
            "buyer gets one a day anyway: put all languages into one newsletter, and send this one tomorrow.",
            again=_DAY,
        )


async def create(tx: Tx, newsletter_id: UUID, storefront: str, author: str, letters: Mapping[str, Letter]) -> bool:
    """Make it and have it planned; False where another one was made under this id."""
    written = {language: asdict(letter) for language, letter in letters.items()}
    row = {
        "newsletter_id": newsletter_id,
        "storefront": storefront,
        "author": author,
        "letters": written,
        "created_at": tx.now,
    }
    if await tx.insert(newsletters, [row], returning="newsletter_id"):
        schedule_plan(tx, newsletter_id, None)
        return True
    known = (await tx.execute(_FIND, id=newsletter_id)).one()
    return bool(known.letters == written)


def schedule_plan(tx: Tx, newsletter_id: UUID, after: UUID | None) -> None:
    """Have the next piece planned."""
    payload = {"newsletter": str(newsletter_id), "after": str(after) if after else None}
    tx.schedule("plan_newsletter", f"{newsletter_id}:{after or ''}", payload)


async def find(tx: Tx, newsletter_id: UUID, *, lock: bool = False) -> Newsletter | None:
    """A newsletter, or None. `lock`: nobody stops it before this transaction ends."""
    row = (await tx.execute(_FIND + ("FOR UPDATE" if lock else ""), id=newsletter_id)).one_or_none()
    if row is None:
        return None
    letters = {language: Letter(**letter) for language, letter in row.letters.items()}
    return Newsletter(row.newsletter_id, row.storefront, letters, row.stopped_at is not None)


async def progress(tx: Tx, newsletter_id: UUID) -> dict[str, Any]:
    """How far it is. `planned` counts all recipients; `skipped` those too who had another one that day."""
    row = (await tx.execute(_FIND, id=newsletter_id)).one()
    states = {found.state: found.recipients for found in await tx.execute(_STATES, id=newsletter_id)}
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
    """Nobody gets it any more."""
    await tx.execute(_STOP, id=newsletter_id, now=tx.now)
    await tx.execute(_LEAVE_OUT, id=newsletter_id, now=tx.now)


async def plan(tx: Tx, newsletter: Newsletter, after: UUID | None, day: date) -> None:
    """Write down the next recipients, and have them sent to and the ones after them planned."""
    row = (
        await tx.execute(
            _PLAN,
            id=newsletter.newsletter_id,
            storefront=newsletter.storefront,
            languages=sorted(newsletter.letters),
            after=after,
            most=PIECE,
            day=day,
        )
    ).one()
    if row.made:
        payload = {
            "newsletter": str(newsletter.newsletter_id),
            "after": str(after) if after else None,
            "last": str(row.last),
        }
        tx.schedule("send_newsletter", f"{newsletter.newsletter_id}:{row.last}", payload)
    ended = row.found < PIECE
    if not ended:
        schedule_plan(tx, newsletter.newsletter_id, row.last)
    await tx.execute(_PLANNED, id=newsletter.newsletter_id, skipped=row.found - row.made, ended=ended, now=tx.now)


async def give_up_lost(tx: Tx, piece: RecipientRange) -> None:
    """What was under way when an earlier attempt ended without a word."""
    await tx.execute(_LOST, id=piece.newsletter_id, after=piece.after, last=piece.last, now=tx.now)


async def take(tx: Tx, piece: RecipientRange, after: UUID | None, most: int, today: date) -> list[Any]:
    """The next recipients (buyer_id, mail_id, state, name, email, language) after that id, by id.

    Those in state `sending` are to be sent to, once the transaction is committed; the others want none any more.
    """
    found = await tx.execute(
        _TAKE, id=piece.newsletter_id, after=after, last=piece.last, most=most, today=today, now=tx.now
    )
    return sorted(found, key=lambda row: row.buyer_id.int)


async def settle(tx: Tx, piece: RecipientRange, outcomes: Sequence[tuple[UUID, Outcome, int | None]]) -> None:
    """Write down what became of mails; mailboxes that refuse get no further newsletters."""
    await tx.execute(
        _SETTLE,
        id=piece.newsletter_id,
        buyers=[buyer for buyer, _, _ in outcomes],
        states=[state for _, state, _ in outcomes],
        codes=[code for _, _, code in outcomes],
        now=tx.now,
    )
    refused = [buyer for buyer, state, code in outcomes if state == "failed" and code is not None]
    if refused:
        await suppress(tx, refused, "refused")


async def agree(tx: Tx, buyer_id: UUID, email: str) -> None:
    """The mailbox of this contact agrees to newsletters, also where it did not want them before."""
    await tx.execute(_ALONE, buyer=buyer_id)
    await tx.execute(_AGREE, buyer=buyer_id, email=email, now=tx.now)


async def suppress(tx: Tx, buyers: Sequence[UUID], reason: Literal["unsubscribed", "refused", "bounced"]) -> None:
    """No further newsletters to these buyers."""
    await tx.execute(_SUPPRESS, buyers=list(buyers), reason=reason, now=tx.now)


async def bounced(tx: Tx, mail_id: UUID, code: int) -> bool:
    """A newsletter came back for good; False where that is known, or it was never sent."""
    buyer = (await tx.execute(_BOUNCED, mail=mail_id, code=code)).scalar()
    if buyer is not None:
        await suppress(tx, [buyer], "bounced")
    return buyer is not None
