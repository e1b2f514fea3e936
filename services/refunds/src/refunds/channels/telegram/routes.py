"""HTTP: `POST /telegram/{storefront}`, where Telegram delivers updates."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Depends, Header, Request
from pydantic import SecretStr, ValidationError

from refunds.channels.files import schedule_file
from refunds.channels.metrics import ChannelMetrics
from refunds.channels.models import Message, SentFile
from refunds.channels.service import Conversations, Incoming, Outcome
from refunds.channels.store import Chats
from refunds.channels.telegram.models import Update, User
from refunds.channels.telegram.tasks import DOWNLOAD
from shared.contracts import Language
from shared.database import Tx
from shared.kernel.dependencies import RequestTrace, ServiceDatabase
from shared.kernel.problems import Problem, field_errors, invalid_request
from shared.telemetry.logging import get_logger
from shared.values.opaque import Credential, Named

log = get_logger(__name__)
_LANGUAGES: Mapping[str, Language] = {"ru": "ru", "kk": "kk", "ka": "ka", "be": "ru", "uk": "ru"}


@dataclass(slots=True, frozen=True)
class Telegram:
    """The bot's conversations, and by storefront the secret_token that `setWebhook` was given."""

    conversations: Conversations
    chats: Chats
    secrets: Mapping[str, SecretStr]
    metrics: ChannelMetrics


def _telegram(
    storefront: Named, request: Request, x_telegram_bot_api_secret_token: Annotated[Credential, Header()] = ""
) -> Telegram:
    """Raises Problem: 404 without a bot, 401 where the secret is not the one that was given to Telegram."""
    telegram: Telegram = request.app.state.telegram
    secret = telegram.secrets.get(storefront)
    if secret is None:
        raise Problem(HTTPStatus.NOT_FOUND, "no-bot", "This storefront has no Telegram bot.")
    if not hmac.compare_digest(secret.get_secret_value().encode(), x_telegram_bot_api_secret_token.encode()):
        raise Problem(
            HTTPStatus.UNAUTHORIZED,
            "wrong-secret",
            "X-Telegram-Bot-Api-Secret-Token is not the secret_token that this bot's webhook was set with.",
        )
    return telegram


routes = APIRouter(tags=["telegram"])


@routes.post("/telegram/{storefront}")
async def hear(
    storefront: Named,
    body: Annotated[dict[str, Any], Body()],
    telegram: Annotated[Telegram, Depends(_telegram)],
    database: ServiceDatabase,
    trace: RequestTrace,
) -> dict[str, bool]:
    """Answered with 200 once it is stored; Telegram sends again until then, and is heard once."""
    incoming = incoming_of(storefront, _read(body), trace)
    outcome = "ignored"
    if incoming is not None:
        async with database.transaction() as tx:
            outcome = await _handle(tx, telegram, incoming)
    telegram.metrics.updates.labels(storefront, outcome).inc()
    return {"ok": True}


async def _handle(tx: Tx, telegram: Telegram, incoming: Incoming) -> Outcome | Literal["downloading"]:
    """Handle the message; one with a file that would be kept is handled when that has been downloaded."""
    file_id, storefront, chat_id = incoming.message.file, incoming.storefront, incoming.chat_id
    if file_id is None or not await telegram.conversations.wants_file(tx, storefront, chat_id):
        return await telegram.conversations.handle(tx, replace(incoming, message=replace(incoming.message, file=None)))
    message = incoming.message
    file = SentFile(chat_id=chat_id, file_id=file_id, caption=message.words, language=message.language)
    schedule_file(tx, telegram.chats, DOWNLOAD, storefront, incoming.message_id, file, incoming.trace)
    return "downloading"


def incoming_of(storefront: str, update: Update, trace: str | None) -> Incoming | None:
    """The message of an update, with the id of its file; None: the bot does not answer such."""
    message = update.message
    if message is None or message.chat.type != "private":
        return None
    read = Message(words=message.words, language=_language(message.sender), file=message.file)
    return Incoming(storefront, message.chat.id, update.update_id, read, trace)


def _language(sender: User) -> Language:
    """Of the sender's own Telegram; Russian where that is widely read."""
    code = sender.language_code.lower().split("-")[0]
    return _LANGUAGES.get(code, "en")


def _read(body: dict[str, Any]) -> Update:
    """The update; one whose message cannot be read counts as one without. Raises Problem (422) where it has no id."""
    try:
        return Update.model_validate(body)
    except ValidationError as error:
        try:
            numbered = Update.model_validate({"update_id": body.get("update_id")})
        except ValidationError:
            raise invalid_request(field_errors(error.errors())) from None
        # Telegram would repeat a refused update for a day, and it would still be unreadable.
        log.warning("telegram_update_unreadable", update_id=numbered.update_id)
        return numbered
