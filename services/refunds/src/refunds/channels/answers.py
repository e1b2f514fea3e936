"""Sends each published answer of a case to the chats of a channel that follow the case, an agent's words too."""

from collections.abc import Iterator
from uuid import UUID

from refunds.channels.rules.texts import answer_texts, text_of
from refunds.channels.service import ANSWERED_IN_REPLY, Channel, Outgoing
from refunds.support_answers import AGENT_WORDS
from shared.contracts import InformationNeeded, Language, RefundApproved, RefundDenied, SupportAnswered
from shared.database import Outgoing as OutgoingEvent
from shared.database import Tx

Answer = InformationNeeded | RefundApproved | RefundDenied | SupportAnswered
_VERDICTS = {InformationNeeded: "await_information", RefundDenied: "deny"}


class CaseAnswers:
    """Takes part in every transaction before the tasks are inserted; costs nothing where no answer is published."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    async def before_commit(self, tx: Tx) -> None:
        """Schedule a message for each answer and chat."""
        answers = dict(_answers(tx))
        if not answers:
            return
        for follower in await self._channel.chats.followers(tx, answers):
            event, outgoing = answers[follower.case_id]
            message = Outgoing(
                follower.storefront,
                follower.chat_id,
                f"{outgoing.id}/{follower.chat_key.hex()}",
                "\n\n".join(_texts(event, follower.language)),
                follower.language,
                outgoing.trace,
                last_message_at=follower.last_message_at,
                agent_words=tx.carried.get(AGENT_WORDS, {}).get(follower.case_id),
            )
            self._channel.schedule(tx, message)

    def after_commit(self, tx: Tx) -> None:
        """Nothing to do: the task worker sends the messages."""

    def after_rollback(self, tx: Tx) -> None:
        """Nothing to do: the tasks are rolled back, too."""


def _texts(event: Answer, language: Language) -> list[str]:
    if isinstance(event, SupportAnswered):
        return [text_of("support_answered", language)]
    return answer_texts(event.explanation.model_dump(), _VERDICTS.get(type(event)), language)


def _answers(tx: Tx) -> Iterator[tuple[UUID, tuple[Answer, OutgoingEvent]]]:
    answered = tx.carried.get(ANSWERED_IN_REPLY, ())
    for outgoing in tx.outgoing:
        event = outgoing.event
        if isinstance(event, Answer) and event.case_id is not None and event.case_id not in answered:
            yield event.case_id, (event, outgoing)
