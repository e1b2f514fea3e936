"""Sends messages of the Telegram bot.

The Bot API has no idempotency key and cannot be asked what was sent. So a message with an unknown outcome is sent
again: a message that arrives twice does no harm, one that never arrives does.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import SecretStr

from refunds.channels.files import Fetch
from refunds.channels.metrics import ChannelMetrics
from refunds.channels.service import Outgoing, shortened, with_agent_words
from refunds.channels.store import Chats
from refunds.channels.telegram.models import SendMessagePayload
from refunds.clients.telegram import TelegramClient
from shared.database import Tx
from shared.outcomes import Done, NeedsPerson, Outcome, Refused
from shared.tasks import Task, TaskResult

SEND, DOWNLOAD = "telegram_send", "telegram_file"


class TelegramChannel:
    """Telegram as a channel of conversations."""

    name: Final = "telegram"

    def __init__(self, chats: Chats) -> None:
        self.chats = chats

    def schedule(self, tx: Tx, outgoing: Outgoing) -> None:
        """Send the message when this transaction commits."""
        payload = SendMessagePayload(
            storefront=outgoing.storefront,
            chat=self.chats.seal_chat(outgoing.chat_id),
            text=shortened(outgoing.text),
            buttons=tuple(tuple(row) for row in outgoing.buttons),
        )
        if outgoing.agent_words is not None:
            payload = payload.model_copy(update={"agent_words": self.chats.seal_words(outgoing.agent_words)})
        tx.schedule(SEND, f"{outgoing.storefront}/{outgoing.key}", payload, trace=outgoing.trace)


class SendMessage:
    """The task of one message."""

    kind = SEND
    concurrency = 4
    payload = SendMessagePayload

    def __init__(
        self, client: TelegramClient, chats: Chats, tokens: Mapping[str, SecretStr], metrics: ChannelMetrics
    ) -> None:
        self._client = client
        self._chats = chats
        self._tokens = tokens
        self._metrics = metrics

    async def perform(self, task: Task[SendMessagePayload]) -> Outcome[None]:
        """Send the message. Refused: the chat cannot be reached any more, and is not written to again."""
        message = task.payload
        token = self._tokens.get(message.storefront)
        chat_id = self._chats.open_chat(message.chat)
        if token is None:
            return NeedsPerson("this storefront has no bot any more")
        if chat_id is None:
            return Refused("sealed", "the chat's id was sealed with another key")
        text = with_agent_words(message.text, message.agent_words, self._chats)
        return await self._client.send_message(token, chat_id, text, message.buttons, trace=task.continues)

    async def record(self, tx: Tx, results: Sequence[TaskResult[None, SendMessagePayload]]) -> None:
        """Count the messages; nothing is stored about them."""
        del tx
        for result in results:
            outcome = "sent" if isinstance(result.outcome, Done) else "unreachable"
            self._metrics.messages.labels(result.task.payload.storefront, outcome).inc()


def fetching(client: TelegramClient, tokens: Mapping[str, SecretStr]) -> Fetch:
    """How the files of these bots are downloaded."""

    async def fetch(storefront: str, file_id: str, trace: str | None) -> Outcome[bytes]:
        token = tokens.get(storefront)
        if token is None:
            return NeedsPerson("this storefront has no bot any more")
        return await client.download(token, file_id, trace=trace)

    return fetch
