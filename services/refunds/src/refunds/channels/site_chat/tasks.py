"""Answers to a visitor: the answer to a message is stored at once, a later one by a task.

A later answer is stored apart from what it follows from, because that holds the lock of the order: a message locks its
chat first and the order afterwards, and the two would wait for each other.
"""

from collections.abc import Sequence
from typing import Final

from refunds.channels.metrics import ChannelMetrics
from refunds.channels.service import Outgoing, shortened, with_agent_words
from refunds.channels.site_chat.models import AnswerPayload, StoredAnswer
from refunds.channels.site_chat.store import SiteAnswers
from refunds.channels.store import Chats
from shared.database import Tx
from shared.outcomes import Done
from shared.tasks import Task, TaskResult

STORE = "site_answer"
#: In `Tx.carried`: the answer to the message that this transaction handles.
IN_REPLY = "site_chat.in_reply"


class SiteChannel:
    """The chat of a shop's site as a channel of conversations."""

    name: Final = "chat"

    def __init__(self, chats: Chats) -> None:
        self.chats = chats

    def schedule(self, tx: Tx, outgoing: Outgoing) -> None:
        """Keep the answer to a message for the route, which stores it; have a later one stored by a task."""
        answer = StoredAnswer(
            text=shortened(outgoing.text), language=outgoing.language, buttons=[list(row) for row in outgoing.buttons]
        )
        if outgoing.last_message_at is None:
            tx.carried[IN_REPLY] = (outgoing.key, answer)
            return
        payload = AnswerPayload(
            storefront=outgoing.storefront,
            chat=self.chats.seal_chat(outgoing.chat_id),
            key=outgoing.key,
            answer=self.chats.seal(answer.model_dump_json().encode()),
        )
        if outgoing.agent_words is not None:
            payload = payload.model_copy(update={"agent_words": self.chats.seal_words(outgoing.agent_words)})
        tx.schedule(STORE, f"{outgoing.storefront}/{outgoing.key}", payload, trace=outgoing.trace)


class StoreAnswer:
    """The task of one later answer. It calls nobody: the shop fetches the answer."""

    kind = STORE
    concurrency = 4
    payload = AnswerPayload

    def __init__(self, chats: Chats, answers: SiteAnswers, metrics: ChannelMetrics) -> None:
        self._chats = chats
        self._answers = answers
        self._metrics = metrics

    async def perform(self, _task: Task[AnswerPayload]) -> Done[None]:
        """Nothing to call: the answer is stored by the transaction of `record`."""
        return Done(None)

    async def record(self, tx: Tx, results: Sequence[TaskResult[None, AnswerPayload]]) -> None:
        """Store the answers. Chats are locked in order; one that is gone, or that another key sealed, gets none."""
        opened = [(self._key(result.task.payload), result.task.payload) for result in results]
        for chat, payload in sorted(opened, key=lambda pair: pair[0] or b""):
            outcome = "unreachable"
            answer = self._chats.open(payload.answer)
            if chat is not None and answer is not None and await self._chats.lock(tx, chat) is not None:
                stored = StoredAnswer.model_validate_json(answer)
                text = with_agent_words(stored.text, payload.agent_words, self._chats)
                await self._answers.insert(tx, chat, payload.key, stored.model_copy(update={"text": text}))
                outcome = "stored"
            self._metrics.messages.labels(payload.storefront, outcome).inc()

    def _key(self, payload: AnswerPayload) -> bytes | None:
        chat_id = self._chats.open_chat(payload.chat)
        return None if chat_id is None else self._chats.key(payload.storefront, chat_id)
