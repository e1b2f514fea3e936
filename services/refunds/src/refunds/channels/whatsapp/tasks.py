"""Sends messages to WhatsApp and downloads the files that buyers send.

The API has no idempotency key and cannot be asked what was sent. So a message with an unknown outcome is sent again: a
message that arrives twice does no harm, one that never arrives does.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from refunds.channels.metrics import ChannelMetrics
from refunds.channels.service import Conversations, Incoming, Outgoing, shortened
from refunds.channels.store import Chats
from refunds.channels.whatsapp.models import FileMessage, WhatsAppFilePayload, WhatsAppMessagePayload
from refunds.channels.whatsapp.rules import message_with_file, spoken
from refunds.clients.whatsapp import WINDOW_CLOSED, WhatsAppClient
from refunds.settings import WhatsAppNumber
from shared.clock import Clock
from shared.contracts import Language
from shared.database import Tx
from shared.outcomes import Done, NeedsPerson, Outcome, Refused
from shared.tasks import Task, TaskResult

SEND, DOWNLOAD = "whatsapp_send", "whatsapp_file"
#: So long after a buyer's message anything may be written to them.
WINDOW = timedelta(hours=24)
_NO_TEMPLATE = "no-template"


class WhatsAppChannel:
    """WhatsApp as a channel of conversations. Its chats are telephone numbers."""

    name: Final = "whatsapp"

    def __init__(self, chats: Chats) -> None:
        self.chats = chats

    def schedule(self, tx: Tx, outgoing: Outgoing) -> None:
        """Send the message when this transaction commits."""
        payload = WhatsAppMessagePayload(
            storefront=outgoing.storefront,
            chat=self.chats.seal_chat(outgoing.chat_id),
            text=shortened(outgoing.text),
            language=outgoing.language,
            window_ends=(outgoing.last_message_at or tx.now) + WINDOW,
        )
        tx.schedule(SEND, f"{outgoing.storefront}/{outgoing.key}", payload, trace=outgoing.trace)

    def schedule_notice(self, tx: Tx, storefront: str, chat_id: int, key: str, language: Language) -> None:
        """Send the template that there is news: the window was over when a message of ours came to WhatsApp."""
        closed = tx.now - WINDOW
        self.schedule(tx, Outgoing(storefront, chat_id, key, "", language, None, last_message_at=closed))


class SendMessage:
    """The task of one message."""

    kind = SEND
    concurrency = 4
    payload = WhatsAppMessagePayload

    def __init__(
        self,
        client: WhatsAppClient,
        chats: Chats,
        numbers: Mapping[str, WhatsAppNumber],
        metrics: ChannelMetrics,
        clock: Clock,
    ) -> None:
        self._client = client
        self._chats = chats
        self._numbers = numbers
        self._metrics = metrics
        self._clock = clock

    async def perform(self, task: Task[WhatsAppMessagePayload]) -> Outcome[str]:
        """Send the text within the window, else the template. Done: which. Refused: this buyer cannot be reached."""
        message = task.payload
        number = self._numbers.get(message.storefront)
        chat_id = self._chats.open_chat(message.chat)
        if number is None:
            return NeedsPerson("this storefront has no WhatsApp number any more")
        if chat_id is None:
            return Refused("sealed", "the number was sealed with another key")
        if self._clock.now() < message.window_ends:
            outcome = await self._client.send_text(number, str(chat_id), message.text, trace=task.continues)
            if isinstance(outcome, Done):
                return Done("sent")
            if not (isinstance(outcome, Refused) and outcome.code == WINDOW_CLOSED):
                return outcome
        if not number.template:
            return Refused(_NO_TEMPLATE, "the window is closed; the answer is in the e-mail alone")
        languages = number.template_languages
        language = message.language if message.language in languages else languages[0]
        notice = await self._client.send_template(number, str(chat_id), number.template, language, trace=task.continues)
        return Done("template") if isinstance(notice, Done) else notice

    async def record(self, tx: Tx, results: Sequence[TaskResult[str, WhatsAppMessagePayload]]) -> None:
        """Count the messages; nothing is stored about them."""
        del tx
        for result in results:
            outcome = result.outcome
            how = outcome.value if isinstance(outcome, Done) else "unreachable"
            if isinstance(outcome, Refused) and outcome.code == _NO_TEMPLATE:
                how = "window_closed"
            self._metrics.messages.labels(result.task.payload.storefront, how).inc()


class DownloadFile:
    """The task of one file: downloads it, then handles the message that it came with."""

    kind = DOWNLOAD
    concurrency = 2
    payload = WhatsAppFilePayload

    def __init__(
        self,
        client: WhatsAppClient,
        conversations: Conversations,
        chats: Chats,
        numbers: Mapping[str, WhatsAppNumber],
        metrics: ChannelMetrics,
    ) -> None:
        self._client = client
        self._conversations = conversations
        self._chats = chats
        self._numbers = numbers
        self._metrics = metrics

    async def perform(self, task: Task[WhatsAppFilePayload]) -> Outcome[bytes]:
        """Download the file. Refused: it is too large, or gone."""
        number = self._numbers.get(task.payload.storefront)
        file = _opened(self._chats, task.payload)
        if number is None:
            return NeedsPerson("this storefront has no WhatsApp number any more")
        if file is None:
            return Refused("sealed", "the file's id was sealed with another key")
        return await self._client.download(number, file.media_id, trace=task.continues)

    async def record(self, tx: Tx, results: Sequence[TaskResult[bytes, WhatsAppFilePayload]]) -> None:
        """Continue the conversations with the files, or with why they cannot be kept. Chats are locked in order."""
        opened = [(result, _opened(self._chats, result.task.payload)) for result in results]
        readable = [(result, file) for result, file in opened if file is not None]
        for result, file in sorted(readable, key=lambda pair: pair[1].sender):
            payload = result.task.payload
            incoming = Incoming(
                payload.storefront,
                int(file.sender),
                payload.message_id,
                message_with_file(file, result.outcome),
                result.task.continues,
                language_known=spoken(file.caption) is not None,
            )
            outcome = await self._conversations.handle(tx, incoming)
            self._metrics.updates.labels(payload.storefront, outcome).inc()


def _opened(chats: Chats, payload: WhatsAppFilePayload) -> FileMessage | None:
    opened = chats.open(payload.sealed)
    return None if opened is None else FileMessage.model_validate_json(opened)
