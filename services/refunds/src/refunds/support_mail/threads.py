"""Lets the answers about cases and claims stand in the thread of the buyer's e-mail."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from refunds.support_mail.store import MailStore, mails_of
from shared.contracts import (
    AppealReceived,
    ClaimAnswered,
    ClaimReceived,
    InformationNeeded,
    RefundDenied,
    RequestRegistered,
    SupportAnswered,
)
from shared.database import Outgoing, Tx
from shared.sealed import Sealer

Answer = (
    InformationNeeded
    | RequestRegistered
    | RefundDenied
    | AppealReceived
    | ClaimReceived
    | ClaimAnswered
    | SupportAnswered
)


class Thread(BaseModel):
    """The mail that an answer follows. Sealed to notifications; its reader is `emails/models/thread.py` there."""

    message_id: str
    references: tuple[str, ...]
    subject: str


class MailThreads:
    """Adds the newest e-mail of its case, or the e-mail of its claim, to each answer that a transaction publishes.

    It takes part in every transaction before the events are inserted, and costs nothing where no answer is published.
    """

    def __init__(self, mails: MailStore, sealer: Sealer) -> None:
        self._mails = mails
        self._sealer = sealer

    async def before_commit(self, tx: Tx) -> None:
        """Add the threads."""
        answers = [(outgoing, event) for outgoing in tx.outgoing if isinstance(event := outgoing.event, Answer)]
        if not answers:
            return
        ids = [_about(event) for _, event in answers]
        rows = await mails_of(tx, ids)
        for outgoing, event in answers:
            self._add(outgoing, event, [row for row in rows if row.about == _about(event)])

    def _add(self, outgoing: Outgoing, event: Answer, rows: Sequence[Any]) -> None:
        answerable = self._mails.answerable(rows)
        if answerable is not None:
            _, content = answerable
            thread = Thread(
                message_id=content.message_id, references=_last(content.references), subject=content.subject
            )
            sealed = self._sealer.seal(thread.model_dump_json().encode())
            outgoing.event = event.model_copy(update={"thread": sealed})

    def after_commit(self, tx: Tx) -> None:
        """Nothing to do: the answers are published."""

    def after_rollback(self, tx: Tx) -> None:
        """Nothing to do: the answers are rolled back."""


def _about(event: Answer) -> UUID:
    """The case or the claim; an answer of an agent is about one of them."""
    if isinstance(event, ClaimReceived | ClaimAnswered):
        return event.claim_id
    if isinstance(event, SupportAnswered):
        return event.case_id or event.claim_id or event.answer_id
    return event.case_id


def _last(references: Sequence[str]) -> tuple[str, ...]:
    """As many as a header field should hold."""
    return tuple(references[-10:])
