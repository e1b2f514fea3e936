"""Handles a message of any channel in a transaction: reads the chat, performs what follows, and answers."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, Protocol

from refunds.cases import AlreadyRefundedError, CaseService, LimitError, NotAllowedError, NotPaidError, Request
from refunds.channels.models import AddFile, FileAppeal, Message, OpenCase, OrderContext, ShowStatus, State, Turn
from refunds.channels.rules.conversation import (
    MESSAGES_PER_HOUR,
    converse,
    count_message,
    finished,
    has_guessed_too_often,
    mismatched,
)
from refunds.channels.rules.questions import contact, provided
from refunds.channels.rules.texts import answer_texts, keyboard, text_of
from refunds.channels.store import Chats
from refunds.policy import Reason, Required
from refunds.support_mail import Submissions
from shared.contracts import Language
from shared.database import Tx
from shared.sealed import Sealed

#: In `Tx.carried`: ids of cases whose answer is part of the conversation's own answer.
ANSWERED_IN_REPLY = "channels.answered_in_reply"
_LONGEST = 4096
#: What became of a message, for the metric.
Outcome = Literal["heard", "duplicate", "ignored", "limited"]

_ORDER = """
SELECT f.order_id, f.order_number, f.storefront, f.buyer_id, f.paid_at, c.email_hash, c.phone_hash
FROM order_facts f LEFT JOIN contacts c USING (buyer_id)
WHERE f.order_number = :number AND f.storefront = :storefront AND f.paid_at IS NOT NULL
ORDER BY f.paid_at LIMIT 1
"""


@dataclass(slots=True, frozen=True)
class Incoming:
    """A message and where it came from. `message_id`: the channel's own number of it."""

    storefront: str
    chat_id: int = field(repr=False)
    message_id: int
    message: Message
    trace: str | None
    #: False: nothing says the language of this message, and a chat keeps the one it has.
    language_known: bool = True


@dataclass(slots=True, frozen=True)
class Outgoing:
    """A message to a chat. `key` names it: a second one with the same key is not sent. `buttons`: rows of labels."""

    storefront: str
    chat_id: int = field(repr=False)
    key: str
    text: str = field(repr=False)
    language: Language
    trace: str | None
    buttons: list[list[str]] = field(default_factory=list)
    #: When the buyer wrote last; None: just now, this is the answer.
    last_message_at: datetime | None = None
    #: What an agent wrote, which follows the text. Sealed in the task, because it may be about the buyer.
    agent_words: str | None = field(default=None, repr=False)


def with_agent_words(text: str, words: Sealed | None, chats: Chats) -> str:
    """The text of a message, and below it what an agent wrote; without it where another key sealed it."""
    opened = None if words is None else chats.open(words)
    return text if opened is None else shortened(f"{text}\n\n{opened.decode()}")


def shortened(text: str) -> str:
    """As long as a message may be, of Telegram and of WhatsApp."""
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


class Channel(Protocol):
    """What a conversation needs of its channel."""

    chats: Chats

    @property
    def name(self) -> Literal["telegram", "whatsapp", "chat"]:
        """The channel of a request; who acts, in the audit trail."""

    def schedule(self, tx: Tx, outgoing: Outgoing) -> None:
        """Send the message when this transaction commits."""


class Guesses(Protocol):
    """Limits how often one order's contact is guessed, in a channel where anybody begins as many chats as they like."""

    async def too_many(self, tx: Tx, storefront: str, number: str) -> bool:
        """Whether nothing is opened for this order number today."""

    async def count(self, tx: Tx, storefront: str, number: str) -> None:
        """Count a pair of number and contact that do not belong together."""


class Conversations:
    """The conversations of one channel. Every message is answered once; the channel sends or keeps the answer."""

    def __init__(
        self, channel: Channel, case_service: CaseService, submissions: Submissions, guesses: Guesses | None = None
    ) -> None:
        self._guesses = guesses
        self._channel = channel
        self._chats = channel.chats
        self._case_service = case_service
        self._submissions = submissions

    async def handle(self, tx: Tx, incoming: Incoming) -> Outcome:
        """Handle a message. The chat is locked first, so its messages are counted one after the other."""
        storefront = incoming.storefront
        key = self._chats.key(storefront, incoming.chat_id)
        stored = await self._chats.lock(tx, key)
        if stored is not None and not incoming.language_known:
            incoming = replace(incoming, message=replace(incoming.message, language=stored.language))
        count, since = count_message(stored, tx.now)
        if count > MESSAGES_PER_HOUR + 1:
            return "limited"
        if not await self._chats.store_update(tx, storefront, incoming.message_id):
            return "duplicate"
        if count > MESSAGES_PER_HOUR:
            state = stored or State(language=incoming.message.language)
            turn = Turn(state, text_of("too_many", state.language, most=str(MESSAGES_PER_HOUR)))
        else:
            turn = await self._take_turn(tx, incoming, key, stored)
        state = turn.state.model_copy(update={"messages": count, "messages_since": since})
        await self._chats.save(tx, key, storefront, incoming.chat_id, state)
        outgoing = Outgoing(
            storefront,
            incoming.chat_id,
            f"update/{incoming.message_id}",
            turn.text,
            state.language,
            incoming.trace,
            keyboard(state.step, state.language),
        )
        self._channel.schedule(tx, outgoing)
        return "heard" if count <= MESSAGES_PER_HOUR else "limited"

    async def wants_file(self, tx: Tx, storefront: str, chat_id: int) -> bool:
        """Whether a file from this chat would be kept: it is asked for, or the chat has a case."""
        key = self._chats.key(storefront, chat_id)
        state = await self._chats.lock(tx, key)
        if state is None or count_message(state, tx.now)[0] > MESSAGES_PER_HOUR:
            return False
        return state.step == "evidence" or (state.step is None and await self._chats.last_case(tx, key) is not None)

    async def _take_turn(self, tx: Tx, incoming: Incoming, key: bytes, stored: State | None) -> Turn:
        """Read the message, and perform what follows from it."""
        order = await self._order(tx, incoming.storefront, stored)
        turn = converse(stored, incoming.message, self._context(tx, incoming, order))
        language = turn.state.language
        match turn.intent:
            case OpenCase():
                return await self._open_case(tx, incoming, key, turn.state, order)
            case ShowStatus():
                return Turn(turn.state, await self._status(tx, key, language))
            case AddFile():
                return Turn(turn.state, await self._add_file(tx, incoming, key, language))
            case FileAppeal(words):
                return Turn(turn.state, await self._appeal(tx, incoming, key, words, language))
        return turn

    async def _order(self, tx: Tx, storefront: str, stored: State | None) -> Any:
        number = None if stored is None else stored.answers.get("order_number")
        if number is None:
            return None
        return (await tx.execute(_ORDER, number=number, storefront=storefront)).first()

    def _context(self, tx: Tx, incoming: Incoming, order: Any) -> OrderContext:
        """The required fields by the version for the order, or by today's: questions reveal nothing."""
        policy = self._case_service.policies.policy(incoming.storefront, tx.now if order is None else order.paid_at)

        def requirements(reason: Reason) -> tuple[Required, ...]:
            return () if policy is None else policy.required_fields(reason)

        phone = incoming.message.phone
        return OrderContext(requirements, phone if self._is_buyer(order, None, phone) else None)

    def _is_buyer(self, order: Any, email: str | None, phone: str | None) -> bool:
        """Whether the contact is the order's own. Otherwise a stranger could open a case with an order number alone."""
        if order is None:
            return False
        fingerprints = self._case_service.fingerprints
        claims = (
            (fingerprints.is_email, order.email_hash, email),
            (fingerprints.is_phone, order.phone_hash, phone),
        )
        return any(
            on_file is not None and given is not None and matches(on_file, given) for matches, on_file, given in claims
        )

    async def _open_case(self, tx: Tx, incoming: Incoming, key: bytes, state: State, order: Any) -> Turn:
        language, name = state.language, self._channel.name
        email, phone = (contact(state, field) for field in ("email", "phone"))
        number = state.answers["order_number"]
        if self._guesses is not None and await self._guesses.too_many(tx, incoming.storefront, number):
            return finished(state, text_of("too_often", language))
        if not self._is_buyer(order, email, phone) or has_guessed_too_often(state, tx.now):
            if self._guesses is not None:
                await self._guesses.count(tx, incoming.storefront, number)
            return mismatched(state, tx.now)
        request = Request(
            reason=state.reason,
            channel=name,
            origin="buyer",
            provided=provided(state),
            email=email,
            phone=phone,
            words=tuple((kind, state.answers[kind]) for kind in ("circumstances", "evidence") if kind in state.answers),
        )
        try:
            if incoming.message.content is not None:
                await self._keep_file(tx, order, incoming)
            _, case, new = await self._case_service.open_case(
                tx, order.order_id, request, who=name, trace=incoming.trace
            )
        except AlreadyRefundedError:
            return finished(state, text_of("already", language))
        except NotPaidError:
            return mismatched(state, tx.now)
        except LimitError:
            return finished(state, text_of("full", language))
        await self._chats.follow(tx, key, case.case_id, order.buyer_id)
        tx.carried.setdefault(ANSWERED_IN_REPLY, set()).add(case.case_id)
        text = text_of("registered" if new else "joined", language, case=str(case.case_id))
        return finished(state, "\n\n".join([text, *answer_texts(case.explanation, case.verdict, language)]))

    async def _keep_file(self, tx: Tx, order: Any, incoming: Incoming) -> None:
        """Keep the file as evidence of the order. Raises NotPaidError, LimitError."""
        file, name = incoming.message.content, self._channel.name
        if file is not None:
            await self._submissions.add_file(tx, order, file, name, who=name, trace=incoming.trace)

    async def _status(self, tx: Tx, key: bytes, language: Language) -> str:
        case = await self._chats.last_case(tx, key)
        if case is None:
            return text_of("nothing_open", language)
        texts = answer_texts(case.explanation, case.verdict, language)
        if case.settled_at is not None:
            texts = [text_of("settled", language)]
        elif case.refused_at is not None:
            texts.append(text_of("bank_refused", language))
        return "\n\n".join([text_of("status", language, case=str(case.case_id)), *texts])

    async def _add_file(self, tx: Tx, incoming: Incoming, key: bytes, language: Language) -> str:
        case = await self._chats.last_case(tx, key)
        if case is None:
            return text_of("nothing_open", language)
        try:
            await self._keep_file(tx, case, incoming)
        except LimitError:
            return text_of("full", language)
        return text_of("file_kept", language, case=str(case.case_id))

    async def _appeal(self, tx: Tx, incoming: Incoming, key: bytes, words: str, language: Language) -> str:
        case = await self._chats.last_case(tx, key)
        if case is None or case.closed_as != "denied":
            return text_of("not_denied", language)
        if not words:
            return text_of("how_to_appeal", language)
        try:
            await self._case_service.appeal(
                tx,
                case.order_id,
                case.case_id,
                who=self._channel.name,
                words=(("appeal", words),),
                trace=incoming.trace,
            )
        except NotAllowedError:
            return text_of("not_denied", language)
        except LimitError:
            return text_of("full", language)
        return text_of("appealed", language)
