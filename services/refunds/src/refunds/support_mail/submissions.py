"""Files and messages that come without an e-mail: from the order's page, a shop's form, or an agent's program.

They are stored as mails are: sealed, each once, deleted with the buyer, and read on the same pages of agents.
"""

import hashlib
from itertools import count
from typing import Any, Literal
from uuid import UUID

from refunds.cases import (
    Case,
    CaseService,
    LimitError,
    NotPaidError,
    Request,
    load_one,
    lock,
    note_id,
    stored_notes,
)
from refunds.cases.models.bodies import Channel
from refunds.support_mail import store
from refunds.support_mail.models import File
from refunds.support_mail.rules.answers import described, words_of
from refunds.support_mail.rules.file_types import MOST_FILES
from refunds.support_mail.store import DAY, Content, MailStore, NewMail
from shared.contracts import Language
from shared.database import Tx
from shared.ids import uuid_for

#: Messages about one order within a day.
MESSAGES_PER_DAY = 10
Outcome = Literal["stored", "repeated"]


class Submissions:
    """Takes files and messages about an order in the caller's transaction, and never commits."""

    def __init__(self, case_service: CaseService, mails: MailStore) -> None:
        self._cases = case_service
        self._mails = mails

    async def add_file(
        self, tx: Tx, order: Any, file: File, channel: Channel, *, who: str, trace: str | None
    ) -> Outcome:
        """Keep a file as evidence about an order, and complete the open cases that wait for it.

        `file` is one that is kept: it has no refusal. The same file again is not kept twice, and completes only a
        case that has never had it. Raises NotPaidError, and LimitError where the order or a case takes no more.
        """
        await lock(tx, [order.order_id])
        if order.paid_at is None:
            raise NotPaidError
        kept, same = await self._mails.kept_files(tx, order.order_id, file)
        words = words_of("", [described(file)])
        cases = _that_wait(await self._open_cases(tx, order.order_id))
        if same:
            cases = await _that_lack(tx, cases, words)
            await self._complete(tx, order.order_id, cases, words, channel, who, trace)
            return "stored" if cases else "repeated"
        if kept >= MOST_FILES and not _is_agent(who):
            raise LimitError(
                "evidence-files",
                f"{MOST_FILES} files are kept about an order, and all of them are there. "
                "Give what is new to an agent of support.",
                None,
            )
        file_id = uuid_for("evidence", str(order.order_id), file.digest)
        content = _content("Evidence about the order, without an e-mail")
        await self._mails.insert(tx, self._new(tx, order, file_id, channel, content, (file,)), trace)
        await store.settle(tx, file_id, "placed", order=order, who=who)
        await self._complete(tx, order.order_id, cases, words, channel, who, trace)
        return "stored"

    async def _complete(
        self,
        tx: Tx,
        order_id: UUID,
        cases: list[Case],
        words: tuple[tuple[str, str], ...],
        channel: Channel,
        who: str,
        trace: str | None,
    ) -> None:
        for case in cases:
            request = Request(
                reason=case.reason,
                ground=case.ground,
                channel=channel,
                origin="agent" if _is_agent(who) else "buyer",
                provided=frozenset({"order_number", "evidence"}),
                words=words,
            )
            await self._cases.open_case(tx, order_id, request, who=who, trace=trace)

    async def add_message(
        self,
        tx: Tx,
        order: Any,
        text: str,
        channel: Channel,
        *,
        who: str,
        trace: str | None,
        email: str = "",
        language: Language = "en",
    ) -> Outcome:
        """Keep a message for an agent, who reads and places it as an e-mail. Raises LimitError.

        `email`: where its sender wants the answer. The same words are one message while it waits.
        """
        await lock(tx, [order.order_id])
        recent = await store.messages_since(tx, order.order_id, tx.now - DAY)
        if recent >= MESSAGES_PER_DAY and not _is_agent(who):
            raise LimitError(
                "messages",
                f"An order takes {MESSAGES_PER_DAY} messages to support within 24 hours; all are kept. "
                "Send this one tomorrow.",
                DAY,
            )
        message_id, state = await _newest_of(tx, order.order_id, text)
        if state == "waiting":
            return "repeated"
        content = _content("Message without an e-mail", own=text, sender=email, language=language)
        await self._mails.insert(tx, self._new(tx, order, message_id, channel, content, ()), trace)
        await store.settle(tx, message_id, "waiting", why="message", order=order)
        return "stored"

    def _new(
        self, tx: Tx, order: Any, mail_id: UUID, channel: Channel, content: Content, files: tuple[File, ...]
    ) -> NewMail:
        """The row. Whoever calls has the order's key, and its sender hash is the contact's: nothing else is proved."""
        sender = self._cases.fingerprints.email(content.sender) if content.sender else None
        return NewMail(mail_id, order.storefront, channel, tx.now, "waiting", None, None, sender, content, files)

    async def _open_cases(self, tx: Tx, order_id: UUID) -> list[Case]:
        return [case for case in (await load_one(tx, order_id)).cases if case.closed_at is None]


async def _newest_of(tx: Tx, order_id: UUID, text: str) -> tuple[UUID, str | None]:
    """The id of the message with these words that waits, or the next free one (state None).

    Words that an agent has handled are a new message when they come again, wherever the agent has placed them.
    """
    digest = hashlib.sha256(text.encode()).hexdigest()
    for turn in count():
        message_id = uuid_for("message", str(order_id), digest, str(turn))
        state = await store.state_of(tx, message_id)
        if state in (None, "waiting"):
            return message_id, state
    raise AssertionError("counting does not end")


def _is_agent(who: str) -> bool:
    return who.startswith("agent:")


def _that_wait(cases: list[Case]) -> list[Case]:
    """The cases that ask for evidence; otherwise the only open one."""
    asking = [case for case in cases if "evidence" in (case.missing or ())]
    return asking or (cases if len(cases) == 1 else [])


async def _that_lack(tx: Tx, cases: list[Case], words: tuple[tuple[str, str], ...]) -> list[Case]:
    """Of these cases those that wait for evidence and have never had this one: an earlier case had it, or a claim."""
    waiting = [case for case in cases if "evidence" in (case.missing or ())]
    notes = {note_id(case.case_id, kind, text): case for case in waiting for kind, text in words}
    known = await stored_notes(tx, notes)
    return [case for note, case in notes.items() if note not in known]


def _content(subject: str, *, own: str = "", sender: str = "", language: Language = "en") -> Content:
    return Content(sender=sender, sender_name="", subject=subject, own=own, quoted="", message_id="", language=language)
