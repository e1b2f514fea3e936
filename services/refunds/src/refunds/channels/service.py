"""The Telegram bot: handles one message in a transaction, and determines the reply."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from refunds.cases import (
    AlreadyRefundedError,
    CaseService,
    LimitError,
    NotAllowedError,
    NotPaidError,
    Request,
)
from refunds.channels.models import Message, Reply, State, Update
from refunds.channels.rules import advance, begin, contact, provided
from refunds.channels.store import Chats
from refunds.channels.tasks import ANSWERED_IN_REPLY, schedule_message
from refunds.channels.texts import keyboard, question, text_of
from refunds.policy import Reason, Required
from shared.database import Tx

#: After so many wrong pairs of order number and contact within a day, the bot refers the person to support.
_MISMATCHES = 5
_MISMATCH_MEMORY = timedelta(days=1)
#: So many messages of a chat are answered within an hour. The reply to the next one says so; more are not stored.
MESSAGES_PER_HOUR = 120
_HOUR = timedelta(hours=1)

_ORDER = """
SELECT f.order_id, f.buyer_id, f.paid_at, c.email_hash, c.phone_hash
FROM order_facts f LEFT JOIN contacts c USING (buyer_id)
WHERE f.order_number = :number AND f.storefront = :storefront AND f.paid_at IS NOT NULL
ORDER BY f.paid_at LIMIT 1
"""


@dataclass(slots=True, frozen=True)
class Incoming:
    """A message, its chat and its trace. `key`: the keyed hash of the chat."""

    storefront: str
    update_id: int
    chat_id: int
    key: bytes
    message: Message
    trace: str | None


class TelegramBot:
    """Answers every message once. The reply is a task of the same transaction."""

    def __init__(self, case_service: CaseService, chats: Chats) -> None:
        self._case_service = case_service
        self._chats = chats

    async def handle(self, tx: Tx, storefront: str, update: Update, trace: str | None) -> str:
        """Handle an update. Returns the outcome for the metric: `heard`, `duplicate`, `ignored`, `limited`.

        The chat is locked first, so its messages are counted one after the other.
        """
        message = update.message
        if message is None or message.chat.type != "private":
            return "ignored"
        chat_id = message.chat.id
        key = self._chats.key(storefront, chat_id)
        incoming = Incoming(storefront, update.update_id, chat_id, key, message, trace)
        stored = await self._chats.lock(tx, key)
        count, since = count_message(stored, tx.now)
        if count > MESSAGES_PER_HOUR + 1:
            return "limited"
        if not await self._chats.store_update(tx, storefront, update.update_id):
            return "duplicate"
        if count > MESSAGES_PER_HOUR:
            state = stored or State(language=_language(message))
            text = text_of("too_many", state.language, most=str(MESSAGES_PER_HOUR))
        else:
            state, text = await self._answer(tx, incoming, stored)
        state = state.model_copy(update={"messages": count, "messages_since": since})
        await self._chats.save(tx, key, storefront, chat_id, state)
        schedule_message(
            tx,
            self._chats,
            storefront,
            chat_id,
            f"update/{update.update_id}",
            text,
            trace=trace,
            buttons=keyboard(state.step, state.language),
        )
        return "heard" if count <= MESSAGES_PER_HOUR else "limited"

    async def _answer(self, tx: Tx, incoming: Incoming, stored: State | None) -> tuple[State, str]:
        """The state after the message, and the reply."""
        state = stored or State(language=_language(incoming.message))
        language = state.language
        command, _, rest = incoming.message.words.partition(" ")
        command = command.partition("@")[0]
        if command == "/start" or (stored is None and not command.startswith("/")):
            state = begin(_language(incoming.message), state)
            return state, f"{text_of('hello', state.language)}\n\n{question('order_number', state.language)}"
        match command:
            case "/cancel":
                kept = State(language=language, mismatches=state.mismatches, mismatched_at=state.mismatched_at)
                return kept, text_of("forgotten", language)
            case "/appeal":
                return state, await self._appeal(tx, incoming, rest.strip(), language)
            case _ if command == "/status" or state.step is None:
                return state, await self._status(tx, incoming, language)
        return await self._continue(tx, incoming, state)

    async def _continue(self, tx: Tx, incoming: Incoming, state: State) -> tuple[State, str]:
        order = await self._order(tx, incoming, state.answers.get("order_number"))

        def requirements(_number: str, reason: Reason) -> tuple[Required, ...]:
            return self._requirements(incoming.storefront, order, reason, tx)

        step = advance(state, Reply(incoming.message.words, incoming.message.file), requirements)
        if not step.understood:
            again = question(state.step or "order_number", state.language)
            return state, f"{text_of('not_understood', state.language)}\n\n{again}"
        if step.state.step is not None:
            return step.state, question(step.state.step, state.language)
        return await self._complete(tx, incoming, step.state, order)

    async def _complete(self, tx: Tx, incoming: Incoming, state: State, order: Any) -> tuple[State, str]:
        language = state.language
        email, phone = (contact(state, field) for field in ("email", "phone"))
        if not self._is_buyer(order, email, phone) or _recent_mismatches(state, tx) >= _MISMATCHES:
            return _mismatched(state, tx)
        words = [(kind, state.answers[kind]) for kind in ("circumstances", "evidence") if kind in state.answers]
        request = Request(
            reason=state.reason,
            channel="telegram",
            origin="buyer",
            provided=provided(state),
            email=email,
            phone=phone,
            words=tuple(words),
        )
        done = State(language=language)
        try:
            _, case, new = await self._case_service.open_case(
                tx, order.order_id, request, who="telegram", trace=incoming.trace
            )
        except AlreadyRefundedError:
            return done, text_of("already", language)
        except NotPaidError:
            return _mismatched(state, tx)
        except LimitError:
            return done, text_of("full", language)
        await self._chats.follow(tx, incoming.key, case.case_id, order.buyer_id)
        tx.carried.setdefault(ANSWERED_IN_REPLY, set()).add(case.case_id)
        text = text_of("registered" if new else "joined", language, case=str(case.case_id))
        return done, "\n\n".join([text, *_answer_texts(case.explanation, case.verdict, language)])

    def _requirements(self, storefront: str, order: Any, reason: Reason, tx: Tx) -> tuple[Required, ...]:
        """The required fields by the version for the order, or by today's: questions reveal nothing."""
        policy = self._case_service.policies.policy(storefront, tx.now if order is None else order.paid_at)
        return () if policy is None else policy.required_fields(reason)

    async def _order(self, tx: Tx, incoming: Incoming, number: str | None) -> Any:
        if number is None:
            return None
        return (await tx.execute(_ORDER, number=number, storefront=incoming.storefront)).first()

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

    async def _status(self, tx: Tx, incoming: Incoming, language: str) -> str:
        case = await self._chats.last_case(tx, incoming.key)
        if case is None:
            return text_of("nothing_open", language)
        texts = _answer_texts(case.explanation, case.verdict, language)
        if case.settled_at is not None:
            texts = [text_of("settled", language)]
        elif case.refused_at is not None:
            texts.append(text_of("bank_refused", language))
        return "\n\n".join([text_of("status", language, case=str(case.case_id)), *texts])

    async def _appeal(self, tx: Tx, incoming: Incoming, words: str, language: str) -> str:
        case = await self._chats.last_case(tx, incoming.key)
        if case is None or case.closed_as != "denied":
            return text_of("not_denied", language)
        if not words:
            return text_of("how_to_appeal", language)
        try:
            await self._case_service.appeal(
                tx, case.order_id, case.case_id, who="telegram", words=(("appeal", words),), trace=incoming.trace
            )
        except NotAllowedError:
            return text_of("not_denied", language)
        except LimitError:
            return text_of("full", language)
        return text_of("appealed", language)


def _answer_texts(explanation: dict[str, str] | None, verdict: str | None, language: str) -> list[str]:
    """The explanation of the decision, and what the person can do next."""
    texts = [] if explanation is None else [explanation[language]]
    hints = {"deny": "how_to_appeal", "await_information": "missing"}
    return [*texts, *(text_of(hint, language) for decided, hint in hints.items() if decided == verdict)]


def _language(message: Message) -> str:
    return "ru" if message.sender.language_code.lower().split("-")[0] in ("ru", "kk", "be", "uk") else "en"


def count_message(stored: State | None, now: datetime) -> tuple[int, datetime]:
    """The number of messages within this hour, with the current one, and when the hour began."""
    if stored is None or stored.messages_since is None or now - stored.messages_since >= _HOUR:
        return 1, now
    return stored.messages + 1, stored.messages_since


def _recent_mismatches(state: State, tx: Tx) -> int:
    """How often order number and contact did not match within the last day."""
    recent = state.mismatched_at is not None and tx.now - state.mismatched_at < _MISMATCH_MEMORY
    return state.mismatches if recent else 0


def _mismatched(state: State, tx: Tx) -> tuple[State, str]:
    """Begin again a few times a day; then refer the person to support."""
    count = min(_recent_mismatches(state, tx) + 1, _MISMATCHES)
    again = begin(state.language).model_copy(update={"mismatches": count, "mismatched_at": tx.now})
    if count >= _MISMATCHES:
        return again.model_copy(update={"step": None}), text_of("too_often", state.language)
    return again, f"{text_of('no_match', state.language)}\n\n{question('order_number', state.language)}"
