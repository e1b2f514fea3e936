"""Reads a message of WhatsApp as one of a conversation. Pure."""

from refunds.channels.models import Message, SentFile
from refunds.channels.whatsapp.models import Media, WebhookMessage
from refunds.support_mail.rules.wishes import language_of
from shared.contracts import Language
from shared.values.phone import Phone
from shared.values.refusal import InvalidValueError


def spoken(words: str) -> Language | None:
    """The language of what was written; None: nothing says it, as in a number or a command."""
    return language_of(words) if any(map(str.isalpha, words)) and not words.startswith("/") else None


def message_of(message: WebhookMessage, default: Language) -> Message:
    """A message without a file that could be kept."""
    refused = message.type not in {"text", "button", "interactive"} and message.media is None
    return Message(
        words=message.words,
        language=spoken(message.words) or default,
        phone=phone_of(message.sender),
        refusal="type" if refused else None,
    )


def file_of_message(message: WebhookMessage, media: Media) -> SentFile:
    """The file of a message, to be downloaded."""
    return SentFile(
        chat_id=int(message.sender),
        file_id=media.id,
        name=media.filename,
        caption=message.words,
        language=spoken(message.words),
        phone=phone_of(message.sender),
    )


def phone_of(wa_id: str) -> str | None:
    """The sender's number in E.164; None: it is no number of any country's plan."""
    try:
        return Phone.parse(f"+{wa_id}", None).e164
    except InvalidValueError:
        return None
