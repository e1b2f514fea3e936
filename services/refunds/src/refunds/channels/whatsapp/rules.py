"""Reads a message of WhatsApp as one of a conversation. Pure."""

from dataclasses import replace

from refunds.channels.models import Message
from refunds.channels.whatsapp.models import FileMessage, WebhookMessage
from refunds.support_mail.rules.answers import described, words_of
from refunds.support_mail.rules.file_types import file_of
from refunds.support_mail.rules.wishes import language_of
from shared.contracts import Language
from shared.outcomes import Done, Refused
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


def message_with_file(file: FileMessage, downloaded: Done[bytes] | Refused) -> Message:
    """The message, with the file as evidence where its content is one (the type that was named proves nothing)."""
    message = Message(words=file.caption, language=spoken(file.caption) or "en", phone=phone_of(file.sender))
    if isinstance(downloaded, Refused):
        return replace(message, refusal="size" if downloaded.code == "size" else "type")
    content = file_of(file.name, downloaded.value, 0)
    if content.refusal is not None:
        return replace(message, refusal=content.refusal)
    [(_, called)] = words_of("", [described(content)])
    return replace(message, file=called, content=content)


def phone_of(wa_id: str) -> str | None:
    """The sender's number in E.164; None: it is no number of any country's plan."""
    try:
        return Phone.parse(f"+{wa_id}", None).e164
    except InvalidValueError:
        return None
