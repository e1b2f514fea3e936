"""The bot: hears one message in a transaction, and decides what follows from it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from refunds.cases import CaseService, Request
from refunds.cases.limits import LimitError
from refunds.cases.models.errors import AlreadyRefundedError, NotAllowedError, NotPaidError
from refunds.cases.rules.fingerprints import Fingerprints
from refunds.channels import rules as conversation
from refunds.channels.answers import TOLD
from refunds.channels.models import Message, Update
from refunds.channels.rules import Said, State, advance, begin
from refunds.channels.store import Chats
from refunds.channels.tasks import say_later
from refunds.channels.texts import keyboard, question, say
from refunds.policy import Reason
from refunds.policy.models.policy import Required
from shared.database import Tx

#: So many wrong pairs of number and contact in a day, and the bot asks to write to people instead.
_MISMATCHES = 5
_MISMATCH_MEMORY = timedelta(days=1)
#: So many messages of a chat are answered within an hour; the next is told so, and more are not stored.
MESSAGES_PER_HOUR = 120
_HOUR = timedelta(hours=1)

_ORDER = """
SELECT f.order_id, f.buyer_id, f.paid_at, c.email_hash, c.phone_hash
FROM order_facts f LEFT JOIN contacts c USING (buyer_id)
WHERE f.order_number = :number AND f.storefront = :storefront AND f.paid_at IS NOT NULL
ORDER BY f.paid_at LIMIT 1
"""


@dataclass(slots=True, frozen=True)
class Heard:
    """A message and where it came from."""

    storefront: str
    update_id: int
    chat_id: int
    key: bytes
    message: Message
    trace: str | None


class Bot:
    """Answers every message once; what it says is due work of the same transaction."""

    def __init__(self, case_service: CaseService, chats: Chats, fingerprints: Fingerprints) -> None:
        self._case_service = case_service
        self._chats = chats
        self._fingerprints = fingerprints

    async def hear(self, tx: Tx, storefront: str, update: Update, trace: str | None) -> str:
        """Take in an update; returns what came of it: `heard`, `duplicate`, `ignored`, `limited`.

        The chat is locked first, so its messages are counted one after the other.
        """
        message = update.message
        if message is None or message.chat.type != "private":
            return "ignored"
        chat_id = message.chat.id
        key = self._chats.key(storefront, chat_id)
        heard = Heard(storefront, update.update_id, chat_id, key, message, trace)
        known = await self._chats.hold(tx, key)
        count, since = _messages(known, tx.now)
        if count > MESSAGES_PER_HOUR + 1:
            return "limited"
        if not await self._chats.take_in(tx, storefront, update.update_id):
            return "duplicate"
        if count > MESSAGES_PER_HOUR:
            state = known or State(language=_language(message))
            text = say("too_many", state.language, most=str(MESSAGES_PER_HOUR))
        else:
            state, text = await self._answer(tx, heard, known)
        state = state.model_copy(update={"heard": count, "heard_since": since})
        await self._chats.keep(tx, key, storefront, chat_id, state)
        say_later(
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

    async def _answer(self, tx: Tx, heard: Heard, known: State | None) -> tuple[State, str]:
        """What the chat has told now, and what to say."""
        state = known or State(language=_language(heard.message))
        language = state.language
        command, _, rest = heard.message.words.partition(" ")
        command = command.partition("@")[0]
        if command == "/start" or (known is None and not command.startswith("/")):
            state = begin(_language(heard.message), state)
            return state, f"{say('hello', state.language)}\n\n{question('order_number', state.language)}"
        match command:
            case "/cancel":
                kept = State(language=language, mismatches=state.mismatches, mismatched_at=state.mismatched_at)
                return kept, say("forgotten", language)
            case "/appeal":
                return state, await self._appeal(tx, heard, rest.strip(), language)
            case _ if command == "/status" or state.step is None:
                return state, await self._status(tx, heard, language)
        return await self._continue(tx, heard, state)

    async def _continue(self, tx: Tx, heard: Heard, state: State) -> tuple[State, str]:
        order = await self._order(tx, heard, state.told.get("order_number"))

        def requirements(_number: str, reason: Reason) -> tuple[Required, ...]:
            return self._requirements(heard.storefront, order, reason, tx)

        step = advance(state, Said(heard.message.words, heard.message.file), requirements)
        if not step.understood:
            asked = question(state.step or "order_number", state.language)
            return state, f"{say('not_understood', state.language)}\n\n{asked}"
        if step.state.step is not None:
            return step.state, question(step.state.step, state.language)
        return await self._complete(tx, heard, step.state, order)

    async def _complete(self, tx: Tx, heard: Heard, state: State, order: Any) -> tuple[State, str]:
        language = state.language
        email, phone = (conversation.contact(state, field) for field in ("email", "phone"))
        if not self._is_buyer(order, email, phone) or _tired(state, tx):
            return _mismatched(state, tx)
        words = [(kind, state.told[kind]) for kind in ("circumstances", "evidence") if kind in state.told]
        asked = Request(
            reason=state.reason,
            channel="telegram",
            origin="buyer",
            provided=conversation.provided(state),
            email=email,
            phone=phone,
            words=tuple(words),
        )
        done = State(language=language)
        try:
            _, case, new = await self._case_service.open_case(
                tx, order.order_id, asked, who="telegram", trace=heard.trace
            )
        except AlreadyRefundedError:
            return done, say("already", language)
        except NotPaidError:
            return _mismatched(state, tx)
        except LimitError:
            return done, say("full", language)
        await self._chats.link(tx, heard.key, case.case_id, order.buyer_id)
        tx.carried.setdefault(TOLD, set()).add(case.case_id)
        text = say("registered" if new else "joined", language, case=str(case.case_id))
        return done, "\n\n".join([text, *_told(case.explanation, case.verdict, language)])

    def _requirements(self, storefront: str, order: Any, reason: Reason, tx: Tx) -> tuple[Required, ...]:
        """By the version that judges the order; of an unknown one by today's: asking gives nothing away."""
        policy = self._case_service.policies.policy(storefront, tx.now if order is None else order.paid_at)
        return () if policy is None else policy.required_fields(reason)

    async def _order(self, tx: Tx, heard: Heard, number: str | None) -> Any:
        if number is None:
            return None
        return (await tx.execute(_ORDER, number=number, storefront=heard.storefront)).first()

    def _is_buyer(self, order: Any, email: str | None, phone: str | None) -> bool:
        """The contact is the order's own. Without this a stranger could ask with a number alone."""
        if order is None:
            return False
        claims = (
            (self._fingerprints.is_email, order.email_hash, email),
            (self._fingerprints.is_phone, order.phone_hash, phone),
        )
        return any(known is not None and told is not None and matches(known, told) for matches, known, told in claims)

    async def _status(self, tx: Tx, heard: Heard, language: str) -> str:
        case = await self._chats.last_case(tx, heard.key)
        if case is None:
            return say("nothing_open", language)
        told = _told(case.explanation, case.verdict, language)
        if case.settled_at is not None:
            told = [say("settled", language)]
        elif case.refused_at is not None:
            told.append(say("bank_refused", language))
        return "\n\n".join([say("status", language, case=str(case.case_id)), *told])

    async def _appeal(self, tx: Tx, heard: Heard, words: str, language: str) -> str:
        case = await self._chats.last_case(tx, heard.key)
        if case is None or case.closed_as != "denied":
            return say("not_denied", language)
        if not words:
            return say("how_to_appeal", language)
        try:
            await self._case_service.appeal(
                tx, case.order_id, case.case_id, who="telegram", words=(("appeal", words),), trace=heard.trace
            )
        except NotAllowedError:
            return say("not_denied", language)
        except LimitError:
            return say("full", language)
        return say("appealed", language)


def _told(explanation: dict[str, str] | None, verdict: str | None, language: str) -> list[str]:
    told = [] if explanation is None else [explanation[language]]
    hints = {"deny": "how_to_appeal", "await_information": "missing"}
    return [*told, *(say(hint, language) for decided, hint in hints.items() if decided == verdict)]


def _language(message: Message) -> str:
    return "ru" if message.sender.language_code.lower().split("-")[0] in ("ru", "kk", "be", "uk") else "en"


def _messages(known: State | None, now: datetime) -> tuple[int, datetime]:
    """Messages of this hour with the one at hand, and when the hour began."""
    if known is None or known.heard_since is None or now - known.heard_since >= _HOUR:
        return 1, now
    return known.heard + 1, known.heard_since


def _tired(state: State, tx: Tx) -> bool:
    recent = state.mismatched_at is not None and tx.now - state.mismatched_at < _MISMATCH_MEMORY
    return recent and state.mismatches >= _MISMATCHES


def _mismatched(state: State, tx: Tx) -> tuple[State, str]:
    """Begin again, a few times a day; then people must look."""
    recent = state.mismatched_at is not None and tx.now - state.mismatched_at < _MISMATCH_MEMORY
    count = min((state.mismatches if recent else 0) + 1, _MISMATCHES)
    again = begin(state.language).model_copy(update={"mismatches": count, "mismatched_at": tx.now})
    if count >= _MISMATCHES:
        return again.model_copy(update={"step": None}), say("too_often", state.language)
    return again, f"{say('no_match', state.language)}\n\n{question('order_number', state.language)}"
