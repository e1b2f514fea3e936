"""Reading a stored mail: only when somebody looks at it."""

import base64
import re
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any
from urllib.parse import quote

_CID = re.compile(r"""(?i)(["'(])cid:([^"')\s>]+)""")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part that is neither the text nor the HTML."""

    name: str
    content_type: str
    content_id: str
    inline: bool
    content: bytes

    def as_json(self) -> dict[str, Any]:
        """As the JSON interface gives it."""
        return {
            "name": self.name,
            "content_type": self.content_type,
            "content_id": self.content_id,
            "inline": self.inline,
            "size": len(self.content),
            "content_base64": base64.b64encode(self.content).decode(),
        }


@dataclass(frozen=True, slots=True)
class ParsedMail:
    """A mail taken apart."""

    headers: list[tuple[str, str]]
    text: str
    html: str
    attachments: list[Attachment]

    def header(self, name: str) -> str:
        """The first header of that name."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


def parse(raw: bytes) -> ParsedMail:
    """Take a mail apart; what cannot be taken apart is shown as its text."""
    try:
        return _parse(raw)
    except Exception:  # noqa: BLE001 - the standard parser fails in many ways on broken headers
        return ParsedMail([], raw.decode("utf-8", "replace"), "", [])


def _parse(raw: bytes) -> ParsedMail:
    message = message_from_bytes(raw, policy=default)
    headers = [(_clean(name), _header_text(value)) for name, value in message.raw_items()]
    text, html = "", ""
    attachments: list[Attachment] = []
    for part in message.walk():
        if part.is_multipart():
            continue
        kind = part.get_content_type()
        is_body = part.get_content_disposition() != "attachment" and not part.get_filename()
        if is_body and kind == "text/plain" and not text:
            text = _content(part)
        elif is_body and kind == "text/html" and not html:
            html = _content(part)
        else:
            attachments.append(_attachment(part, len(attachments) + 1))
    return ParsedMail(headers, text, html, attachments)


def with_local_images(html: str, base: str) -> str:
    """The HTML with every `cid:` pointing at the part's own address below `base`."""
    return _CID.sub(lambda found: f"{found[1]}{base}/{quote(found[2])}", html)


def _header_text(value: object) -> str:
    text = " ".join(_clean(str(value)).split())
    if "=?" not in text:
        return text
    parsed = message_from_bytes(b"X: " + text.encode("utf-8", "replace") + b"\r\n\r\n", policy=default)
    return _clean(str(parsed["X"]))


def _clean(text: str) -> str:
    """Bytes that were no ASCII read as UTF-8, as far as they are: the parser keeps them as lone surrogates."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _content(part: EmailMessage) -> str:
    try:
        return _clean(str(part.get_content()))
    except (LookupError, ValueError, KeyError):
        return _bytes(part).decode("utf-8", "replace")


def _bytes(part: EmailMessage) -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else str(payload or "").encode("utf-8", "surrogateescape")


def _attachment(part: EmailMessage, number: int) -> Attachment:
    return Attachment(
        name=_clean(part.get_filename() or f"part-{number}"),
        content_type=part.get_content_type(),
        content_id=_clean(str(part.get("Content-ID", ""))).strip().strip("<>"),
        inline=part.get_content_disposition() == "inline",
        content=_bytes(part),
    )
