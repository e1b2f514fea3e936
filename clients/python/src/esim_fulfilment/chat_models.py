"""What is sent and answered in a conversation of the chat of a shop's site."""

from datetime import datetime

from pydantic import Field

from esim_fulfilment.models import Answered, Language


class ChatAnswer(Answered):
    """What is to be shown to the visitor. `number` counts the answers of a conversation from 1.

    `buttons`: rows of texts to choose from; a chosen one is sent as it is.
    """

    number: int
    text: str = Field(repr=False)
    language: Language
    buttons: tuple[tuple[str, ...], ...] = ()
    at: datetime
