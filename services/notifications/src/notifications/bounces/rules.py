"""Reads delivery status notifications (RFC 3464, RFC 6533) about our emails.

It reads `message/delivery-status` and `message/global-delivery-status` in any transfer encoding. If there is no such
part, it reads the plain text of a mail system: fields in the text, or a quoted SMTP reply.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes, message_from_string
from email.message import EmailMessage, Message
from email.policy import compat32, default

_STATUS = re.compile(r"\b([245])\.[0-9]{1,3}\.[0-9]{1,3}\b")
_REPLY = re.compile(r"\b([45][0-9]{2})[ -]")
#: A reply with its enhanced code, as mail systems quote it: `550 5.1.1`, `550-5.1.1`, `452 #4.2.2`.
_QUOTED = re.compile(r"\b([45])([0-9]{2})[ -]+#?(\1\.[0-9]{1,3}\.[0-9]{1,3})\b")
#: Header fields with the address that a notification was sent to, the most reliable first.
_ENVELOPE = ("X-Original-To", "Delivered-To", "Envelope-To", "To")
_MAIL_SYSTEM = re.compile(r"<>|mailer-daemon|postmaster|mail delivery", re.IGNORECASE)
_FAILED, _DELAYED = 554, 450
#: The standard parser reads these parts as nested messages and does not decode them: renamed, they are text.
_DELIVERY_STATUS = re.compile(
    rb"^(content-type:[ \t]*(?:\r?\n[ \t]+)?)message/(?:global-)?delivery-status\b", re.IGNORECASE | re.MULTILINE
)
_RENAMED = "text/x-delivery-status"
_BLANK = re.compile(r"(?:\r?\n[ \t]*){2,}")
_MAX_PARTS = 100


class NotABounceError(ValueError):
    """The message is no delivery status notification. The error repeats none of it."""


@dataclass(frozen=True, slots=True)
class Bounce:
    """What a mail server reports of an email that it had accepted. Codes only: its text may repeat the address.

    `final`: the server has given up; otherwise it still tries.
    """

    final: bool
    smtp_code: int
    enhanced_code: str | None


def read(raw: bytes) -> tuple[Bounce, tuple[str, ...]]:
    """Read the bounce, and the addresses that it may have been sent to (one of them is our return path).

    Raises NotABounceError.
    """
    try:
        message = message_from_bytes(_DELIVERY_STATUS.sub(rb"\g<1>" + _RENAMED.encode(), raw), policy=default)
        parts = list(_texts(message))
    except RecursionError:
        raise NotABounceError("its parts are nested too deeply") from None
    statuses = [text for kind, text in parts if kind == _RENAMED]
    bounce = next(filter(None, map(_fields, statuses)), None)
    if bounce is None and not statuses:
        bounce = _plain_text(message, [text for kind, text in parts if kind == "text/plain"])
    if bounce is None:
        raise NotABounceError("it reports no email that failed or is delayed")
    return bounce, tuple(_addresses(message))


def _texts(message: Message) -> Iterator[tuple[str, str]]:
    """The kind and the decoded text of each part that is text."""
    for number, part in enumerate(message.walk()):
        if number >= _MAX_PARTS:
            return
        if part.is_multipart() or not part.get_content_type().startswith("text/"):
            continue
        content = part.get_payload(decode=True)
        if isinstance(content, bytes):
            yield part.get_content_type(), content.decode("utf-8", "replace")


def _fields(text: str) -> Bounce | None:
    """The bounce in blocks of fields: the first recipient that was not reached; our emails have one recipient."""
    for block in _BLANK.split(text.strip()):
        fields = message_from_string(block, policy=compat32)
        action = _field(fields, "Action").lower()
        if action not in {"failed", "delayed"}:
            continue
        status = _STATUS.search(_field(fields, "Status"))
        words = _field(fields, "Diagnostic-Code")
        reply = _REPLY.search(words + " ")
        final = action == "failed"
        code = int(reply[1]) if reply else (_FAILED if final else _DELAYED)
        own = _STATUS.search(words) or status
        return Bounce(final, code, own[0] if own else None)
    return None


def _plain_text(message: Message, texts: list[str]) -> Bounce | None:
    """The bounce in plain text: its fields written out, or a reply that a mail system quotes.

    Numbers in an automatic reply, or in the answer of a person, prove nothing.
    """
    for text in texts:
        if (bounce := _fields(text)) is not None:
            return bounce
    author = _field(message, "Return-Path") + _field(message, "From")
    if _field(message, "Auto-Submitted").lower().startswith("auto-replied") or not _MAIL_SYSTEM.search(author):
        return None
    quoted = [match for text in texts for match in _QUOTED.finditer(text)]
    reply = next((match for match in quoted if match[1] == "5"), None) or next(iter(quoted), None)
    return None if reply is None else Bounce(reply[1] == "5", int(reply[1] + reply[2]), reply[3])


def _field(fields: Message, name: str) -> str:
    try:
        return str(fields.get(name, "")).strip()
    except (ValueError, IndexError, AttributeError, TypeError):  # the standard parser raises all of these
        return ""


def _addresses(message: EmailMessage | Message) -> Iterator[str]:
    for name in _ENVELOPE:
        address = _field(message, name)
        if address:
            yield address.rpartition("<")[2].rstrip(">").strip()
