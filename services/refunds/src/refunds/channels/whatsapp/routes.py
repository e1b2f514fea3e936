"""HTTP: `/whatsapp/{storefront}`, the webhook of a shop's WhatsApp number."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import PlainTextResponse
from prometheus_client import Counter

from refunds.channels.files import schedule_file
from refunds.channels.metrics import ChannelMetrics
from refunds.channels.service import Conversations, Incoming, Outcome
from refunds.channels.store import Chats
from refunds.channels.whatsapp.models import (
    NO_MESSAGE,
    Status,
    Unreadable,
    WebhookMessage,
    read_webhook,
)
from refunds.channels.whatsapp.rules import file_of_message, message_of, spoken
from refunds.channels.whatsapp.tasks import DOWNLOAD, WhatsAppChannel
from refunds.clients.whatsapp import WINDOW_CLOSED
from refunds.settings import WhatsAppNumber
from shared.contracts import Language
from shared.database import Database, Tx
from shared.kernel.dependencies import RequestTrace, ServiceDatabase
from shared.kernel.problems import Problem
from shared.telemetry.logging import get_logger
from shared.values.opaque import Credential, Named

log = get_logger(__name__)
#: Of one webhook, which brings many messages after an interruption.
LARGEST_WEBHOOK = 3 * 2**20
_STATUSES = frozenset({"sent", "delivered", "read", "failed"})


@dataclass(slots=True, frozen=True)
class WhatsApp:
    """What the webhook uses. `languages`: of a buyer of a shop whose first message has no words."""

    conversations: Conversations
    channel: WhatsAppChannel
    numbers: Mapping[str, WhatsAppNumber]
    languages: Callable[[str], Language]
    metrics: ChannelMetrics
    statuses: Counter

    def of_the_app(self, number: WhatsAppNumber) -> dict[str, str]:
        """The storefronts of all numbers of the same app, by phone_number_id.

        An app has one webhook and one secret, which proves that the app sent what it says of its numbers.
        """
        secret = number.app_secret.get_secret_value()
        return {
            other.phone_number_id: storefront
            for storefront, other in self.numbers.items()
            if hmac.compare_digest(other.app_secret.get_secret_value().encode(), secret.encode())
        }

    @property
    def chats(self) -> Chats:
        """Where the chats are stored."""
        return self.channel.chats


async def _whatsapp(request: Request) -> WhatsApp:
    whatsapp: WhatsApp = request.app.state.whatsapp
    return whatsapp


WhatsAppDep = Annotated[WhatsApp, Depends(_whatsapp)]
routes = APIRouter(tags=["whatsapp"])


def _number(whatsapp: WhatsApp, storefront: str) -> WhatsAppNumber:
    number = whatsapp.numbers.get(storefront)
    if number is None:
        raise Problem(HTTPStatus.NOT_FOUND, "no-number", "This storefront has no WhatsApp number.")
    return number


@routes.get("/whatsapp/{storefront}", response_class=PlainTextResponse)
async def verify(
    storefront: Named,
    whatsapp: WhatsAppDep,
    mode: Annotated[Credential, Query(alias="hub.mode")] = "",
    token: Annotated[Credential, Query(alias="hub.verify_token")] = "",
    challenge: Annotated[Credential, Query(alias="hub.challenge")] = "",
) -> PlainTextResponse:
    """Prove to WhatsApp that this address is ours: the challenge comes back to who knows the verify token."""
    known = _number(whatsapp, storefront).verify_token.get_secret_value()
    if mode != "subscribe" or not hmac.compare_digest(known.encode(), token.encode()):
        raise Problem(
            HTTPStatus.FORBIDDEN,
            "wrong-token",
            "hub.verify_token is not this shop's in WHATSAPP_NUMBERS.",
        )
    return PlainTextResponse(challenge)


@routes.post("/whatsapp/{storefront}")
async def hear(
    storefront: Named, request: Request, whatsapp: WhatsAppDep, database: ServiceDatabase, trace: RequestTrace
) -> dict[str, bool]:
    """Take messages and statuses. Answered once all are stored; until then WhatsApp repeats them. Each counts once.

    Several storefronts may have numbers of one app: its webhook has one address, and each message names its number.
    """
    number = _number(whatsapp, storefront)
    body = await request.body()
    signed = hmac.new(number.app_secret.get_secret_value().encode(), body, hashlib.sha256).hexdigest()
    shown = request.headers.get("x-hub-signature-256", "")
    if not hmac.compare_digest(f"sha256={signed}".encode(), shown.encode("latin-1")):
        raise Problem(
            HTTPStatus.UNAUTHORIZED,
            "wrong-signature",
            "X-Hub-Signature-256 is not the HMAC of the body.",
        )
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise Problem(HTTPStatus.BAD_REQUEST, "malformed-json", "The body is not valid JSON.") from None
    for receiver, item in read_webhook(document, whatsapp.of_the_app(number)):
        await _take(whatsapp, receiver, item, database, trace)
    return {"ok": True}


async def _take(
    whatsapp: WhatsApp,
    storefront: str,
    item: WebhookMessage | Status | Unreadable,
    database: Database,
    trace: str | None,
) -> None:
    """Each in a transaction of its own, because each locks a chat."""
    outcome: Outcome | str
    if isinstance(item, Unreadable):
        log.warning("whatsapp_item_unreadable", storefront=storefront)
        outcome = "unreadable"
    elif isinstance(item, WebhookMessage) and item.type in NO_MESSAGE:
        outcome = "ignored"
    else:
        async with database.transaction() as tx:
            if isinstance(item, Status):
                await _take_status(tx, whatsapp, storefront, item)
                return
            outcome = await _take_message(tx, whatsapp, storefront, item, trace)
    whatsapp.metrics.updates.labels(storefront, outcome).inc()


async def _take_message(
    tx: Tx, whatsapp: WhatsApp, storefront: str, item: WebhookMessage, trace: str | None
) -> Outcome | str:
    chat_id, message_id = int(item.sender), whatsapp.chats.number_of("message", item.id)
    if item.media is not None and await whatsapp.conversations.wants_file(tx, storefront, chat_id):
        file = file_of_message(item, item.media)
        schedule_file(tx, whatsapp.chats, DOWNLOAD, storefront, message_id, file, trace)
        return "downloading"
    message = message_of(item, whatsapp.languages(storefront))
    known = spoken(item.words) is not None
    incoming = Incoming(storefront, chat_id, message_id, message, trace, language_known=known)
    return await whatsapp.conversations.handle(tx, incoming)


async def _take_status(tx: Tx, whatsapp: WhatsApp, storefront: str, item: Status) -> None:
    """Count it once, in whichever order it comes. A message that came when the window was over becomes a template."""
    status = item.status if item.status in _STATUSES else "other"
    number = whatsapp.chats.number_of(status, item.id)
    if not await whatsapp.chats.store_update(tx, storefront, number):
        return
    whatsapp.statuses.labels(storefront, status).inc()
    if status == "failed" and WINDOW_CLOSED in {str(error.code) for error in item.errors}:
        chat_id = int(item.recipient_id)
        state = await whatsapp.chats.lock(tx, whatsapp.chats.key(storefront, chat_id))
        if state is not None:
            whatsapp.channel.schedule_notice(tx, storefront, chat_id, f"failed/{number}", state.language)
