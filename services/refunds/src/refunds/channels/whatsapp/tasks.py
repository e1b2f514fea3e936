"""Sends messages to WhatsApp.

The API has no idempotency key and cannot be asked what was sent. So a message with an unknown outcome is sent again: a
message that arrives twice does no harm, one that never arrives does.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from refunds.channels.files import Fetch
from refunds.channels.metrics import ChannelMetrics
from refunds.channels.service import Outgoing, shortened, with_agent_words
from refunds.channels.store import Chats
from refunds.channels.whatsapp.models import WhatsAppMessagePayload
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
        if outgoing.agent_words is not None:
            payload = payload.model_copy(update={"agent_words": self.chats.seal_words(outgoing.agent_words)})
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
            text = with_agent_words(message.text, message.agent_words, self._chats)
            outcome = await self._client.send_text(number, str(chat_id), text, trace=task.continues)
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


def fetching(client: WhatsAppClient, numbers: Mapping[str, WhatsAppNumber]) -> Fetch:
    """How the files of these numbers are downloaded."""

    async def fetch(storefront: str, file_id: str, trace: str | None) -> Outcome[bytes]:
        number = numbers.get(storefront)
        if number is None:
            return NeedsPerson("this storefront has no WhatsApp number any more")
        return await client.download(number, file_id, trace=trace)

    return fetch
