"""Header fields of mails: read leniently, decoded, cleaned. Never raises."""

import re
from collections.abc import Iterator
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses

from refunds.support_mail.rules.charsets import decoded
from shared.values.text import cleaned

LONGEST = 1000
_MESSAGE_ID = re.compile(r"<([^<>\s]{1,900})>")
_FOLD = re.compile(r"\r?\n[ \t]*")
_MOST_REFERENCES = 50


def values(message: Message, name: str) -> list[str]:
    """Every field of this name as it was sent, unfolded, the topmost first; bytes above ASCII as surrogates."""
    return [_FOLD.sub(" ", str(value)) for field, value in message.raw_items() if field.lower() == name.lower()]


def value(message: Message, name: str) -> str:
    """The first field of this name, unfolded and cleaned; "" where there is none."""
    return next((cleaned(text, LONGEST) for text in values(message, name)), "")


def text(raw: str) -> str:
    """A field for people: encoded words (RFC 2047) and 8-bit text decoded."""
    try:
        parts = decode_header(raw)
    except (ValueError, AssertionError):  # what the standard parser raises at broken base64
        parts = [(raw, None)]
    return cleaned("".join(_part(part, charset) for part, charset in parts), LONGEST)


def _part(part: str | bytes, charset: str | None) -> str:
    if isinstance(part, str):
        if part.isascii():
            return part
        part = part.encode("ascii", "surrogateescape") if not _has_letters(part) else part.encode("utf-8", "replace")
    return decoded(part, charset)


def _has_letters(part: str) -> bool:
    """Whether it holds characters above ASCII that are no surrogates: decoded already (RFC 6532)."""
    return any(ord(letter) > 127 and not 0xDC80 <= ord(letter) <= 0xDCFF for letter in part)  # noqa: PLR2004 - see above


def mailboxes(message: Message, *names: str) -> Iterator[tuple[str, str]]:
    """The name and the address of each mailbox in these fields."""
    for name in names:
        try:
            pairs = getaddresses(values(message, name))
        except (ValueError, TypeError, AttributeError, IndexError):
            continue
        for shown, address in pairs:
            if "@" in address:
                yield text(shown), cleaned(address, LONGEST)


def message_ids(raw: str) -> tuple[str, ...]:
    """The Message-IDs in a field, without brackets."""
    return tuple(_MESSAGE_ID.findall(raw.encode("ascii", "replace").decode()))[-_MOST_REFERENCES:]
