"""Brings the answers of a case to the chats that asked: whatever decides it, in that very transaction."""

from collections.abc import Iterator

from refunds.channels.store import Chats
from refunds.channels.tasks import say_later
from refunds.channels.texts import say
from shared.contracts import InformationNeeded, RefundApproved, RefundDenied
from shared.database import Outgoing, Tx

Answer = InformationNeeded | RefundApproved | RefundDenied
#: In `Tx.carried`: cases of which the bot's own reply tells already.
TOLD = "telegram.told"


class Answers:
    """Takes part in every transaction before its due work is written; free of cost where nothing is answered."""

    def __init__(self, chats: Chats) -> None:
        self._chats = chats

    async def before_commit(self, tx: Tx) -> None:
        """Make a message of each answer for each chat that is to hear of it."""
        answers = {event.case_id: (event, outgoing) for event, outgoing in _answers(tx)}
        if not answers:
            return
        for listener in await self._chats.listeners(tx, answers):
            event, outgoing = answers[listener.case_id]
            text = getattr(event.explanation, listener.language)
            if isinstance(event, RefundDenied):
                text = f"{text}\n\n{say('how_to_appeal', listener.language)}"
            elif isinstance(event, InformationNeeded):
                text = f"{text}\n\n{say('missing', listener.language)}"
            key = f"{outgoing.id}/{listener.chat_key.hex()}"
            say_later(tx, self._chats, listener.storefront, listener.chat_id, key, text, trace=outgoing.trace)

    def after_commit(self, tx: Tx) -> None:
        """The board does the rest."""

    def after_rollback(self, tx: Tx) -> None:
        """Nothing was said."""


def _answers(tx: Tx) -> Iterator[tuple[Answer, Outgoing]]:
    told = tx.carried.get(TOLD, ())
    for outgoing in tx.outgoing:
        event = outgoing.event
        if isinstance(event, InformationNeeded | RefundApproved | RefundDenied) and event.case_id not in told:
            yield event, outgoing
