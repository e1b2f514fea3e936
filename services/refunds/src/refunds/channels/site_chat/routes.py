"""HTTP: `/conversations/{conversation}/messages`, by the shop's own server. Browsers have no key."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request, Response

from refunds.callers import CallingShop
from refunds.channels.metrics import ChannelMetrics
from refunds.channels.models import Message
from refunds.channels.rules.conversation import MESSAGES_PER_HOUR
from refunds.channels.service import Conversations, Incoming
from refunds.channels.site_chat.models import Answer, Answers, MessageBody
from refunds.channels.site_chat.store import SiteAnswers
from refunds.channels.site_chat.tasks import IN_REPLY
from refunds.channels.store import Chats
from refunds.support_mail.rules.answers import described, words_of
from refunds.support_mail.rules.file_types import file_of
from shared.contracts import Language
from shared.database import Tx
from shared.kernel.dependencies import RequestTrace, ServiceDatabase
from shared.kernel.problems import LimitReachedError, Problem
from shared.values.count import LARGEST_INT, Count
from shared.values.text import Line

_HOUR = timedelta(hours=1)
_SAME: dict[int | str, dict[str, Any]] = {200: {"description": "handled before; the same answer again"}}


@dataclass(slots=True, frozen=True)
class SiteChat:
    """What the routes use. `languages`: of a shop."""

    conversations: Conversations
    chats: Chats
    answers: SiteAnswers
    languages: Callable[[str], Language]
    metrics: ChannelMetrics

    async def take(
        self, tx: Tx, storefront: str, conversation: UUID, key: str, body: MessageBody, trace: str | None
    ) -> tuple[list[Answer], str]:
        """Handle a message, once for each key: the answer, and what became of the message."""
        chat_id = self.chat_id(conversation)
        message_id = self.chats.number_of("message", f"{conversation}\x1f{key}")
        message = _message(body, self.languages(storefront))
        incoming = Incoming(storefront, chat_id, message_id, message, trace, language_known=body.language is not None)
        outcome = await self.conversations.handle(tx, incoming)
        chat = self.chats.key(storefront, chat_id)
        replied = tx.carried.get(IN_REPLY)
        if replied is None:
            return await self.answers.find(tx, chat, f"update/{message_id}"), outcome
        await self.answers.insert(tx, chat, *replied)
        return await self.answers.find(tx, chat, replied[0]), outcome

    def chat_id(self, conversation: UUID) -> int:
        """The number of a conversation, as the chats of all channels have one."""
        return self.chats.number_of("conversation", str(conversation))


async def _site_chat(request: Request) -> SiteChat:
    site_chat: SiteChat = request.app.state.site_chat
    return site_chat


SiteChatDep = Annotated[SiteChat, Depends(_site_chat)]
routes = APIRouter(tags=["conversations"])


@routes.post("/conversations/{conversation}/messages", status_code=HTTPStatus.CREATED, responses=_SAME)
async def send_message(
    conversation: UUID,
    body: MessageBody,
    storefront: CallingShop,
    database: ServiceDatabase,
    site_chat: SiteChatDep,
    trace: RequestTrace,
    response: Response,
    idempotency_key: Annotated[str, Line(100), Header(description="one key for one message, the same on every retry")],
) -> Answers:
    """Hand in what a visitor of the shop's site wrote, and get the answer. `conversation`: a UUID of the shop's own.

    The conversation is the one of the Telegram bot: it asks for order number, reason and contact, and opens a case only
    where number and contact belong together. A file is evidence (a picture or PDF). 429 `too-many-chat-messages`.
    """
    async with database.transaction("site_chat") as tx:
        answers, outcome = await site_chat.take(tx, storefront, conversation, idempotency_key, body, trace)
    site_chat.metrics.updates.labels(storefront, outcome).inc()
    if not answers:
        raise LimitReachedError(
            "chat-messages",
            f"A conversation has {MESSAGES_PER_HOUR} messages within an hour; this one was not stored.",
            again=_HOUR,
        )
    if outcome == "duplicate":
        response.status_code = HTTPStatus.OK
    return Answers(answers=answers)


@routes.get("/conversations/{conversation}/messages")
async def read_answers(
    conversation: UUID,
    storefront: CallingShop,
    database: ServiceDatabase,
    site_chat: SiteChatDep,
    after: Annotated[
        Annotated[Count, Query(le=LARGEST_INT)], Query(description="the number of the last answer that the shop has")
    ] = 0,
) -> Answers:
    """The answers after a number (at most 100): also those that came later, from the policy or an agent.

    404 `unknown-conversation`: it has no message, or is forgotten.
    """
    chat = site_chat.chats.key(storefront, site_chat.chat_id(conversation))
    async with database.reading() as tx:
        answers = await site_chat.answers.after(tx, chat, after)
    if answers is None:
        raise Problem(
            HTTPStatus.NOT_FOUND, "unknown-conversation", "There is no such conversation, or it is forgotten."
        )
    return Answers(answers=answers)


def _message(body: MessageBody, default: Language) -> Message:
    """The message for the conversation, with its file where that is evidence."""
    language = body.language or default
    if body.file is None:
        return Message(words=body.text, language=language)
    file = file_of(body.file.name, body.file.content, 0)
    if file.refusal is not None:
        return Message(words=body.text, language=language, refusal=file.refusal)
    [(_, called)] = words_of("", [described(file)])
    return Message(words=body.text, language=language, file=called, content=file)
