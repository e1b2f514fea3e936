"""Reading what comes back: a delivery status notification (RFC 3464) about a mail of ours."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage, Message
from email.policy import default

_STATUS = re.compile(r"\b([245])\.[0-9]{1,3}\.[0-9]{1,3}\b")
_REPLY = re.compile(r"\b([45][0-9]{2})[ -]")
#: Where servers write whom a mail was for, in the order of trust.
_ENVELOPE = ("X-Original-To", "Delivered-To", "Envelope-To", "To")
_FAILED, _DELAYED = 554, 450


class NotABounceError(ValueError):
    """The mail is no delivery status notification. The message repeats none of it."""


@dataclass(frozen=True, slots=True)
class Bounce:
    """What a mail server says of a mail that it had taken. Codes only: its words may repeat the address.

    `final`: it has given up; otherwise it goes on trying.
    """

    final: bool
    smtp_code: int
    enhanced_code: str | None


def read(raw: bytes) -> tuple[Bounce, tuple[str, ...]]:
    """The bounce, and the addresses that it may have been sent to (our return path is among them).

    Raises NotABounceError.
    """
    message = message_from_bytes(raw, policy=default)
    for part in message.walk():
        if part.get_content_type() == "message/delivery-status":
            return _bounce(part), tuple(_addresses(message))
    raise NotABounceError("there is no delivery status in this mail")


def _bounce(part: Message) -> Bounce:
    """The first recipient that was not reached; our mails have one recipient."""
    for fields in _blocks(part):
        action = _field(fields, "Action").lower()
        if action not in {"failed", "delayed"}:
            continue
        status = _STATUS.search(_field(fields, "Status"))
        words = _field(fields, "Diagnostic-Code")
        reply = _REPLY.search(words + " ")
        final = action == "failed"
        code = int(reply[1]) if reply else (_FAILED if final else _DELAYED)
        own = _STATUS.search(words)
        return Bounce(final, code, (own or status)[0] if own or status else None)  # type: ignore[index] # one of them is
    raise NotABounceError("the delivery status says of nobody that a mail failed or is delayed")


def _blocks(part: Message) -> Iterator[Message]:
    """Blocks of fields: the mail, then each recipient."""
    payload = part.get_payload()
    if isinstance(payload, list):
        yield from (block for block in payload if isinstance(block, Message))


def _field(fields: Message, name: str) -> str:
    try:
        return str(fields.get(name, "")).strip()
    except (ValueError, IndexError, AttributeError, TypeError):  # the standard parser fails in many ways
        return ""


def _addresses(message: EmailMessage | Message) -> Iterator[str]:
    for name in _ENVELOPE:
        found = _field(message, name)
        if found:
            yield found.rpartition("<")[2].rstrip(">").strip()
