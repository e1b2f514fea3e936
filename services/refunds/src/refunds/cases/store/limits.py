"""Limits what shops and chats can add to a case and to the claims of an order.

The caller has locked the order (`store.cases.lock`), so concurrent requests are counted one after the other. A new case
and the first appeal against a denial are never refused: what others sent does not take away a buyer's right.
Agents have no limit.
"""

from datetime import timedelta
from uuid import UUID

from refunds.cases.models.errors import LimitError
from shared.database import Tx

DAY = timedelta(days=1)
#: Requests that open, join or repeat a case, within 24 hours.
REQUESTS_PER_DAY = 20
#: Texts that are kept of one case: circumstances, evidence, appeals. One request brings at most 21.
NOTES_PER_CASE = 100
CLAIMS_PER_DAY = 10
CLAIMS_OPEN = 30
_AGENT = "agent:"

_OF_CASE = """
SELECT (SELECT count(*) FROM audit WHERE case_id = :case AND at > :since AND who NOT LIKE 'agent:%'
    AND what IN ('opened', 'joined', 'asked_again', 'appealed', 'appeal_repeated')) AS requests,
  (SELECT count(*) FROM notes WHERE case_id = :case AND kind <> 'note' AND who NOT LIKE 'agent:%') AS notes,
  (SELECT count(*) FROM notes WHERE note_id = ANY(CAST(:new AS uuid[]))) AS stored
"""
_OF_ORDER = """
SELECT count(*) FILTER (WHERE received_at > :since) AS of_day, count(*) FILTER (WHERE answered_at IS NULL) AS open
FROM claims WHERE order_id = :order
"""


async def check_case(tx: Tx, case_id: UUID, new: list[UUID], who: str) -> None:
    """Check that a request with these notes can be added to the case. Raises LimitError."""
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
    if counted.notes + len(new) - counted.stored > NOTES_PER_CASE:
        raise LimitError(
            "case-notes",
            f"This case keeps {NOTES_PER_CASE} texts, has {counted.notes}, and this request brings "
            f"{len(new) - counted.stored} more; all it has are kept. Give what is new to an agent of support.",
            None,
        )


async def check_claims(tx: Tx, order_id: UUID, who: str) -> None:
    """Check that another claim about this order can be stored. Raises LimitError."""
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
