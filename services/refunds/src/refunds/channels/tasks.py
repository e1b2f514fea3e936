"""Sends messages of the Telegram bot: replies, and the answers to cases that chats follow.

The Bot API has no idempotency key and cannot be asked what was sent. So a message with an unknown outcome is sent
again: a message that arrives twice does no harm, one that never arrives does.
"""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import SecretStr

from refunds.channels.metrics import TelegramMetrics
from refunds.channels.models import SendMessagePayload
from refunds.channels.store import Chats
from refunds.channels.texts import text_of
from refunds.clients.telegram import TelegramClient
from shared.contracts import InformationNeeded, RefundApproved, RefundDenied
from shared.database import Outgoing, Tx
from shared.outcomes import Done, NeedsPerson, Outcome, Refused
from shared.tasks import Task, TaskResult

SEND = "telegram_send"
_LONGEST = 4096
Answer = InformationNeeded | RefundApproved | RefundDenied
#: In `Tx.carried`: ids of cases whose answer is part of the bot's own reply.
ANSWERED_IN_REPLY = "telegram.told"


class CaseAnswers:
    """Sends each published answer of a case to the chats that follow the case.

    It takes part in every transaction before the tasks are inserted, and costs nothing where no answer is published.
    """

    def __init__(self, chats: Chats) -> None:
        self._chats = chats

    async def before_commit(self, tx: Tx) -> None:
        """Schedule a message for each answer and chat."""
        answers = {event.case_id: (event, outgoing) for event, outgoing in _answers(tx)}
        if not answers:
            return
        for follower in await self._chats.followers(tx, answers):
            event, outgoing = answers[follower.case_id]
            text = getattr(event.explanation, follower.language)
            if isinstance(event, RefundDenied):
                text = f"{text}\n\n{text_of('how_to_appeal', follower.language)}"
            elif isinstance(event, InformationNeeded):
                text = f"{text}\n\n{text_of('missing', follower.language)}"
            key = f"{outgoing.id}/{follower.chat_key.hex()}"
            schedule_message(tx, self._chats, follower.storefront, follower.chat_id, key, text, trace=outgoing.trace)

    def after_commit(self, tx: Tx) -> None:
        """Nothing to do: the task worker sends the messages."""

    def after_rollback(self, tx: Tx) -> None:
        """Nothing to do: the tasks are rolled back, too."""


def _answers(tx: Tx) -> Iterator[tuple[Answer, Outgoing]]:
    answered = tx.carried.get(ANSWERED_IN_REPLY, ())
    for outgoing in tx.outgoing:
        event = outgoing.event
        if isinstance(event, InformationNeeded | RefundApproved | RefundDenied) and event.case_id not in answered:
            yield event, outgoing


def schedule_message(
    tx: Tx,
    chats: Chats,
    storefront: str,
    chat_id: int,
    key: str,
    text: str,
    *,
    trace: str | None,
    buttons: Sequence[Sequence[str]] = (),
) -> None:
    """Send a message when this transaction commits. `key` names it; a second one with the same key is not sent."""
    payload = SendMessagePayload(
        storefront=storefront,
        chat=chats.seal_chat(chat_id),
        text=text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…",
        buttons=tuple(tuple(row) for row in buttons),
    )
    tx.schedule(SEND, f"{storefront}/{key}", payload, trace=trace)


class SendMessage:
    """The task of one message."""

    kind = SEND
    concurrency = 4
    payload = SendMessagePayload

    def __init__(
        self, client: TelegramClient, chats: Chats, tokens: Mapping[str, SecretStr], metrics: TelegramMetrics
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
        return await self._client.send_message(token, chat_id, message.text, message.buttons, trace=task.continues)

    async def record(self, tx: Tx, results: Sequence[TaskResult[None, SendMessagePayload]]) -> None:
        """Count the messages; nothing is stored about them."""
        del tx
        for result in results:
            outcome = "sent" if isinstance(result.outcome, Done) else "unreachable"
            self._metrics.messages.labels(result.task.payload.storefront, outcome).inc()
