"""Reads a message with a file that was downloaded. Pure."""

from dataclasses import replace

from refunds.channels.models import Message, SentFile
from refunds.support_mail.rules.answers import described, words_of
from refunds.support_mail.rules.file_types import file_of
from shared.outcomes import Done, Refused

#: The code of a download that was refused because of the size.
TOO_LARGE = "size"


def message_with_file(file: SentFile, downloaded: Done[bytes] | Refused) -> Message:
    """The message, with the file as evidence where its content is one (the type that was named proves nothing)."""
    message = Message(words=file.caption, language=file.language or "en", phone=file.phone)
    if isinstance(downloaded, Refused):
        return replace(message, refusal="size" if downloaded.code == TOO_LARGE else "type")
    content = file_of(file.name, downloaded.value, 0)
    if content.refusal is not None:
        return replace(message, refusal=content.refusal)
    [(_, called)] = words_of("", [described(content)])
    return replace(message, file=called, content=content)
