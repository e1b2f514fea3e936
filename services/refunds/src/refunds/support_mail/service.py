"""Takes e-mails in: stores each once, and opens or joins the case or claim that it is about.

Only a sender whom our own server vouches for, and whose address is the order's contact, changes anything (I14).
Everything else waits for an agent, who reads it and places it.
"""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

from refunds.cases import (
    AlreadyRefundedError,
    Case,
    CaseService,
    LimitError,
    NotAllowedError,
    NotPaidError,
    Request,
    load_one,
    lock,
)
from refunds.claims import receive_claim
from refunds.policy import Reason
from refunds.support_mail import store
from refunds.support_mail.models import Mail, Receiver, Wish
from refunds.support_mail.rules.answers import described, each_once, request_of, words_of
from refunds.support_mail.rules.placing import Candidate, Why, place_of
from refunds.support_mail.rules.reading import LARGEST_MAIL, UnreadableMailError, read_mail
from refunds.support_mail.rules.wishes import read_wish
from refunds.support_mail.store import DAY, Content, MailStore, NewMail
from shared.contracts import RequestChannel
from shared.database import Tx
from shared.ids import uuid_for
from shared.reply_tags import ReplyTags
from shared.telemetry.logging import get_logger
from shared.values.text import cleaned

log = get_logger(__name__)
#: `who` of what a mail does by itself.
EMAIL: Final = "email"
#: The `way` of a contact form, which has limits of its own.
FORM: Final = "form"
#: More mails of one sender within a day are counted, and not kept.
MAILS_PER_DAY = 30
#: So much of a mail that nobody can read is kept for an agent.
_UNREADABLE_KEPT = 64 * 1024
Outcome = Literal["opened", "joined", "appealed", "claimed", "waiting", "ignored", "repeated"]
#: What an agent makes of a mail.
Placing = Literal["refund", "claim", "note"]


@dataclass(slots=True, frozen=True)
class Arrived:
    """A mail as it arrived. `raw`: all of it, or its head where it is `too_large`."""

    storefront: str
    way: str
    raw: bytes = field(repr=False)
    received_at: datetime | None = None
    too_large: bool = False


class SupportMail:
    """Takes mails in the caller's transaction and never commits."""

    def __init__(
        self,
        case_service: CaseService,
        mails: MailStore,
        receivers: Callable[[str], Receiver],
        tags: ReplyTags | None,
    ) -> None:
        """`receivers`: how a storefront receives mail. `tags` reads which order an answer to our mail is about."""
        self._cases = case_service
        self.mails = mails
        self._receivers = receivers
        self._tags = tags

    async def read(self, arrived: Arrived) -> Mail | None:
        """Read a mail in a thread, because large ones take a second; None: nobody can read it."""
        try:
            return await asyncio.to_thread(read_mail, arrived.raw, self._receivers(arrived.storefront))
        except UnreadableMailError as error:
            log.warning("support_mail_unreadable", storefront=arrived.storefront, reason=str(error))
            return None

    async def take(self, tx: Tx, arrived: Arrived, mail: Mail | None, trace: str | None) -> Outcome:
        """Store what arrived, and do what it asks for. The same mail again changes nothing."""
        received_at = min(arrived.received_at or tx.now, tx.now)
        if mail is None or arrived.too_large:
            new = self._unread(arrived, mail, received_at)
            return "waiting" if await self.mails.insert(tx, new, trace) else "repeated"
        wish = read_wish(mail)
        sender = self._cases.fingerprints.email(mail.sender)
        mail_id = id_of(arrived.storefront, mail)
        ignored: str | None = mail.automatic
        if ignored is None and arrived.way != FORM:
            recent = await store.mails_since(tx, sender, mail.proof, tx.now - DAY)
            ignored = "limit" if recent >= MAILS_PER_DAY else None
        new = NewMail(
            mail_id,
            arrived.storefront,
            arrived.way,
            received_at,
            "ignored" if ignored else "waiting",
            ignored,
            mail.proof,
            sender,
            None if ignored else _content(mail, wish),
            () if ignored else each_once(mail.files),
        )
        if not await self.mails.insert(tx, new, trace):
            return "repeated"
        if ignored:
            return "ignored"
        return await self._place(tx, arrived.storefront, new, mail, wish, trace)

    async def place_by_agent(
        self, tx: Tx, mail_id: UUID, order: Any, placing: Placing, reason: Reason | None, *, who: str, trace: str | None
    ) -> UUID | None:
        """An agent has read a mail and says what it is: returns the case, or None for a claim.

        Raises NotAllowedError, AlreadyRefundedError, NotPaidError, LimitError.
        """
        row = await store.lock_waiting(tx, mail_id)
        content = None if row is None else self.mails.content(row)
        if row is None or content is None or row.storefront != order.storefront:
            raise NotAllowedError("The mail does not wait any more, or is another shop's.")
        if placing == "claim":
            claim = await self._claim(tx, order, mail_id, row.received_at, who, trace, _channel_of(row.way))
            await store.settle(tx, mail_id, "placed", order=order, claim_id=claim, who=who)
            return None
        files = await self.mails.files(tx, mail_id)
        words = words_of(content.own or content.quoted, [file for file in files if file["refusal"] is None])
        case = await self._open_case(tx, order.order_id)
        if placing == "note" and case is None:
            raise NotAllowedError("The order has no open case to which the mail could be added.")
        request = Request(
            reason=case.reason if case is not None and placing == "note" else reason or "other",
            ground=case.ground if case is not None and placing == "note" else None,
            channel=_channel_of(row.way),
            origin="agent",
            received_at=row.received_at,
            provided=frozenset({"order_number", "reason", *(("evidence",) if len(words) > 1 else ())}),
            words=words,
        )
        _, placed, _ = await self._cases.open_case(tx, order.order_id, request, who=who, trace=trace)
        await store.settle(tx, mail_id, "placed", order=order, case_id=placed.case_id, who=who)
        return placed.case_id

    async def dismiss(self, tx: Tx, mail_id: UUID, who: str) -> None:
        """An agent has read a mail, and nothing follows from it. Raises NotAllowedError.

        It stays with the order that it seems to be about, so that it is erased with the order's buyer (PP 6.2).
        """
        row = await store.lock_waiting(tx, mail_id)
        if row is None:
            raise NotAllowedError("The mail does not wait any more.")
        await store.settle(tx, mail_id, "dismissed", why=row.why, order=row, who=who)

    # --- placing ----------------------------------------------------------------------------------------------------

    async def _place(self, tx: Tx, storefront: str, new: NewMail, mail: Mail, wish: Wish, trace: str | None) -> Outcome:
        tagged = None if self._tags is None else self._tags.order_of(mail.recipients)
        rows = {row.order_id: row for row in await store.orders_named(tx, storefront, wish.order_numbers, tagged)}
        named = set(rows)
        if not rows and new.sender_hash is not None:
            rows = {row.order_id: row for row in await store.orders_of_sender(tx, storefront, new.sender_hash)}
        is_email = self._cases.fingerprints.is_email
        candidates = [
            Candidate(
                row.order_id,
                row.buyer_id,
                row.email_hash is not None and is_email(row.email_hash, mail.sender),
                row.order_id in named,
            )
            for row in rows.values()
        ]
        place = place_of(mail, wish, candidates)
        order = None if place.order is None else rows[place.order.order_id]
        if place.why is not None or order is None:
            return await self._wait(tx, new.mail_id, place.why or "no_order", order)
        try:
            return await self._act(tx, new, mail, wish, order, trace)
        except LimitError:
            return await self._wait(tx, new.mail_id, "limit", order)
        except (AlreadyRefundedError, NotPaidError, NotAllowedError):
            return await self._wait(tx, new.mail_id, "unclear", order)

    async def _act(self, tx: Tx, new: NewMail, mail: Mail, wish: Wish, order: Any, trace: str | None) -> Outcome:
        """Do what the order's own buyer asks for. A claim may ask for money back as well, and is both.

        Raises LimitError, AlreadyRefundedError, NotPaidError, NotAllowedError, before anything changes.
        """
        await lock(tx, [order.order_id])
        case = await self._open_case(tx, order.order_id)
        denied = None if case else await self._denied_case(tx, order.order_id)
        words = words_of(mail.own, [described(file) for file in new.files if file.refusal is None])
        claim_id = None
        if wish.claim:
            claim_id = await self._claim(tx, order, new.mail_id, new.received_at, EMAIL, trace)
        outcome: Outcome | None = None
        case_id: UUID | None = None
        try:
            if wish.appeal and denied is not None:
                appeal = tuple(("appeal" if kind == "circumstances" else kind, text) for kind, text in words)
                await self._cases.appeal(tx, order.order_id, denied.case_id, who=EMAIL, words=appeal, trace=trace)
                outcome, case_id = "appealed", denied.case_id
            elif case is not None or (wish.refund and wish.reason is not None):
                joined = None if wish.refund and wish.reason is not None else case
                request = replace(request_of(mail, wish, joined, words), received_at=new.received_at)
                _, opened, is_new = await self._cases.open_case(tx, order.order_id, request, who=EMAIL, trace=trace)
                outcome, case_id = "opened" if is_new else "joined", opened.case_id
        except (LimitError, AlreadyRefundedError, NotPaidError, NotAllowedError):
            if claim_id is None:
                raise
        outcome = outcome or ("claimed" if claim_id is not None else None)
        if outcome is None:
            return await self._wait(tx, new.mail_id, "unclear", order)
        await store.settle(tx, new.mail_id, "placed", order=order, case_id=case_id, claim_id=claim_id, who=EMAIL)
        return outcome

    async def _wait(self, tx: Tx, mail_id: UUID, why: Why, order: Any) -> Outcome:
        await store.settle(tx, mail_id, "waiting", why=why, order=order)
        return "waiting"

    async def _claim(
        self,
        tx: Tx,
        order: Any,
        mail_id: UUID,
        received_at: datetime,
        who: str,
        trace: str | None,
        channel: RequestChannel = EMAIL,
    ) -> UUID:
        row, _ = await receive_claim(
            tx,
            self._cases.policies,
            order,
            reference=f"mail-{mail_id}",
            channel=channel,
            received_at=received_at,
            who=who,
            trace=trace,
        )
        claim_id: UUID = row.claim_id
        return claim_id

    async def _open_case(self, tx: Tx, order_id: UUID) -> Case | None:
        """The order's only open case; None: there is none, or several, and the mail does not say which."""
        cases = [case for case in (await load_one(tx, order_id)).cases if case.closed_at is None]
        return cases[0] if len(cases) == 1 else None

    async def _denied_case(self, tx: Tx, order_id: UUID) -> Case | None:
        cases = (await load_one(tx, order_id)).cases
        return cases[-1] if cases and cases[-1].closed_as == "denied" else None

    def _unread(self, arrived: Arrived, mail: Mail | None, received_at: datetime) -> NewMail:
        digest = hashlib.sha256(arrived.raw).hexdigest()
        text = cleaned(arrived.raw[:_UNREADABLE_KEPT].decode("utf-8", "replace"), _UNREADABLE_KEPT, lines=True)
        content = Content(
            sender=mail.sender if mail else "",
            sender_name=mail.sender_name if mail else "",
            subject=mail.subject if mail else "",
            own="" if mail else text,
            quoted="",
            message_id=mail.message_id if mail else "",
        )
        return NewMail(
            uuid_for("support-mail", arrived.storefront, mail.message_id if mail else "", digest),
            arrived.storefront,
            arrived.way,
            received_at,
            "waiting",
            "too_large" if arrived.too_large else "unreadable",
            None if mail is None else mail.proof,
            None if mail is None else self._cases.fingerprints.email(mail.sender),
            content,
        )


def id_of(storefront: str, mail: Mail) -> UUID:
    """The id under which a mail is stored, however often it arrives."""
    return uuid_for("support-mail", storefront, mail.message_id, mail.digest)


def _channel_of(way: Any) -> RequestChannel:
    """The channel by which something came, from its stored `way`: e-mails have several."""
    channel: RequestChannel = EMAIL if way in ("webhook", "imap") else way
    return channel


def is_too_large(size: int) -> bool:
    """Whether a mail of so many bytes is not read whole."""
    return size > LARGEST_MAIL


def _content(mail: Mail, wish: Wish) -> Content:
    return Content(
        sender=mail.sender,
        sender_name=mail.sender_name,
        subject=mail.subject,
        own=mail.own,
        quoted=mail.quoted,
        message_id=mail.message_id,
        references=mail.references,
        language=wish.language,
    )
