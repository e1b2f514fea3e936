"""How much may be appended to a case and to an order's claims by whoever holds a shop's key or writes to the bot.

The order's row is locked (`records.lock`), so concurrent requests are counted one after the other. A new case, and the
first appeal against a denial, are never refused: what others have sent does not take a buyer's right away. Agents have
no limit.
"""

from datetime import timedelta
from uuid import UUID

from shared.database import Tx

DAY = timedelta(days=1)
#: Requests that join a case or repeat one, within 24 hours.
REQUESTS_PER_DAY = 20
#: Texts that are kept of one case: circumstances, evidence, appeals. A request brings 21 at most.
NOTES_PER_CASE = 100
CLAIMS_PER_DAY = 10
CLAIMS_OPEN = 30
_AGENT = "agent:"

_OF_CASE = """
SELECT (SELECT count(*) FROM audit WHERE case_id = :case AND at > :since AND who NOT LIKE 'agent:%'
    AND what IN ('opened', 'joined', 'asked_again', 'appealed', 'appeal_repeated')) AS requests,
  (SELECT count(*) FROM notes WHERE case_id = :case AND kind <> 'note' AND who NOT LIKE 'agent:%') AS notes,
  (SELECT count(*) FROM notes WHERE note_id = ANY(CAST(:new AS uuid[]))) AS known
"""
_OF_ORDER = """
SELECT count(*) FILTER (WHERE received_at > :since) AS of_day, count(*) FILTER (WHERE answered_at IS NULL) AS open
FROM claims WHERE order_id = :order
"""


class LimitError(Exception):
    """So much was accepted already. `limit` names it; `again`: when it lets something through, None: never by itself.

    The message says how much is allowed and what to do.
    """

    def __init__(self, limit: str, message: str, again: timedelta | None) -> None:
        super().__init__(message)
        self.limit = limit
        self.again = again


async def check_case(tx: Tx, case_id: UUID, new: list[UUID], who: str) -> None:
    """Whether a request with these notes may still be added to this case. Raises LimitError."""
    if who.startswith(_AGENT):
        return
    counted = (await tx.execute(_OF_CASE, case=case_id, since=tx.now - DAY, new=new)).one()
    if counted.requests >= REQUESTS_PER_DAY:
        raise LimitError(
            "case-requests",
            f"This case takes {REQUESTS_PER_DAY} requests within 24 hours, and has had them; all are kept. "
            "Send what is new tomorrow, or give it to an agent of support.",
            DAY,
        )
    if counted.notes + len(new) - counted.known > NOTES_PER_CASE:
        raise LimitError(
            "case-notes",
            f"This case keeps {NOTES_PER_CASE} texts, has {counted.notes}, and this request brings "
            f"{len(new) - counted.known} more; all it has are kept. Give what is new to an agent of support.",
            None,
        )


async def check_claims(tx: Tx, order_id: UUID, who: str) -> None:
    """Whether another claim about this order may be kept. Raises LimitError."""
    if who.startswith(_AGENT):
        return
    counted = (await tx.execute(_OF_ORDER, order=order_id, since=tx.now - DAY)).one()
    if counted.of_day >= CLAIMS_PER_DAY or counted.open >= CLAIMS_OPEN:
        raise LimitError(
            "claims",
            f"An order takes {CLAIMS_PER_DAY} written claims within 24 hours and has {CLAIMS_OPEN} unanswered at most; "
            f"it had {counted.of_day} and has {counted.open}, and all are kept. Send this one tomorrow, or have an "
            "agent of support record it today.",
            DAY,
        )
