"""Reads a mail (RFC 5322, MIME) as it arrived. Pure; bad mails are read as far as they go."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from email.policy import compat32

from refunds.support_mail.models import File, Mail, Receiver
from refunds.support_mail.rules import headers, origin
from refunds.support_mail.rules.charsets import decoded
from refunds.support_mail.rules.file_types import file_of
from refunds.support_mail.rules.html_text import text_of_html
from refunds.support_mail.rules.quotes import split_quotes
from shared.values.text import cleaned

#: A whole mail, in bytes: larger ones are not read.
LARGEST_MAIL = 25 * 2**20
_MOST_PARTS = 300
_MOST_DEEP = 12
_LONGEST_TEXT = 20_000
_RECIPIENT_FIELDS = ("Delivered-To", "X-Original-To", "Envelope-To", "To", "Cc")
#: Recipients that are looked at; all are counted.
_MOST_RECIPIENTS = 50
#: Smaller pictures inside a text are logos of a signature, counters, emoji.
_SMALL_PICTURE = 8 * 1024


class UnreadableMailError(ValueError):
    """The bytes are no mail, or one whose parts are nested beyond measure. The error repeats none of it."""


@dataclass(slots=True)
class _Content:
    """What the parts of a mail hold."""

    plain: list[str] = field(default_factory=list)
    html: list[str] = field(default_factory=list)
    #: Texts of mails that were forwarded as attachments.
    forwarded: list[str] = field(default_factory=list)
    files: list[File] = field(default_factory=list)


def read_mail(raw: bytes, receiver: Receiver) -> Mail:
    """Read a mail. Raises UnreadableMailError."""
    try:
        message = message_from_bytes(raw, policy=compat32)
        content = _content(message)
    except (RecursionError, ValueError, LookupError, AttributeError, TypeError, IndexError, AssertionError) as error:
        # what the standard parser raises at what is no mail
        raise UnreadableMailError(type(error).__name__) from None
    senders = list(headers.mailboxes(message, "From"))
    if not message.keys() or not senders:
        raise UnreadableMailError("it names no sender")
    name, address = senders[0]
    subject = next((headers.text(raw_subject) for raw_subject in headers.values(message, "Subject")), "")
    own, quoted = _texts(content)
    recipients = [to for _, to in headers.mailboxes(message, *_RECIPIENT_FIELDS)]
    ids = headers.message_ids(headers.value(message, "Message-ID"))
    return Mail(
        message_id=ids[0] if ids else "",
        sender=address,
        sender_name=name,
        proof=origin.proof(message, receiver),
        automatic=origin.automatic(message, subject, address, receiver),
        recipients=tuple(dict.fromkeys(recipients))[:_MOST_RECIPIENTS],
        recipient_count=len(recipients),
        subject=subject,
        own=own,
        quoted=quoted,
        references=_references(message),
        files=tuple(content.files),
        digest=_digest(address, subject, own, quoted, content.files),
    )


def _content(message: Message) -> _Content:
    content = _Content()
    for number, (part, depth) in enumerate(_walk(message)):
        if number >= _MOST_PARTS:
            break
        kind = part.get_content_type()
        payload = part.get_payload(decode=True)
        if not isinstance(payload, bytes):
            continue
        disposition = str(part.get("Content-Disposition", "")).strip().lower()
        if kind in {"text/plain", "text/html"} and not disposition.startswith("attachment"):
            text = decoded(payload, _charset(part))[: 20 * _LONGEST_TEXT]
            text = text_of_html(text) if kind == "text/html" else text
            target = content.forwarded if depth else content.html if kind == "text/html" else content.plain
            target.append(cleaned(text, _LONGEST_TEXT, lines=True))
        elif payload and not (_is_logo(part, payload) and kind.startswith("image/")):
            content.files.append(_file(part, payload, len(content.files)))
    return content


def _walk(message: Message, forwarded: int = 0, deep: int = 0) -> Iterator[tuple[Message, int]]:
    """The parts that hold something, and in how many forwarded mails each stands."""
    if deep > _MOST_DEEP:
        return
    if message.is_multipart():
        inner = forwarded + (message.get_content_maintype() == "message")
        for part in message.get_payload():
            if isinstance(part, Message):
                yield from _walk(part, inner, deep + 1)
    else:
        yield message, forwarded


def _charset(part: Message) -> str | None:
    try:
        return part.get_content_charset()
    except (LookupError, UnicodeError, ValueError):
        return None


def _is_logo(part: Message, payload: bytes) -> bool:
    return part.get("Content-ID") is not None and len(payload) < _SMALL_PICTURE


def _file(part: Message, payload: bytes, before: int) -> File:
    try:
        name = headers.text(str(part.get_filename() or ""))
    except (ValueError, LookupError, TypeError):
        name = ""
    return file_of(name, payload, before)


def _texts(content: _Content) -> tuple[str, str]:
    """What the sender wrote, and what is quoted. Plain text counts where there is some, else the HTML."""
    written = "\n".join(filter(None, content.plain)) or "\n".join(filter(None, content.html))
    own, quoted = split_quotes(written)
    quoted = "\n".join(filter(None, [quoted, *content.forwarded]))
    return own[:_LONGEST_TEXT], quoted[:_LONGEST_TEXT]


def _references(message: Message) -> tuple[str, ...]:
    """The Message-IDs that the mail answers, the nearest last."""
    fields = [*headers.values(message, "References"), *headers.values(message, "In-Reply-To")]
    return tuple(dict.fromkeys(one for raw in fields for one in headers.message_ids(raw)))


def _digest(sender: str, subject: str, own: str, quoted: str, files: list[File]) -> str:
    parts = [sender.lower(), subject, own, quoted, *(file.digest for file in files)]
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()
