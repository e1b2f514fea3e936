"""The mails in the sandbox's mailbox."""

import base64
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tour import codes
from tour.expectations import UnmetError

_LINK = re.compile(r"https?://\S+/account/[\w-]+")


@dataclass(frozen=True, slots=True)
class Email:
    """One mail. `picture` is the first PNG in it, `code` what its QR code says; `at` when the server had taken it.

    `answers` is the Message-ID of the mail that it answers.
    """

    id: int
    message_id: str
    to: str
    subject: str
    at: datetime
    text: str
    html: str
    picture: bytes | None
    code: str | None
    answers: str | None = None


def email(mail: dict[str, Any]) -> Email:
    """From the sandbox's mail interface."""
    pictures = [part["content_base64"] for part in mail["attachments"] if part["content_type"] == "image/png"]
    picture = base64.b64decode(pictures[0]) if pictures else None
    return Email(
        id=mail["id"],
        message_id=mail["message_id"],
        to=mail["to"][0],
        subject=mail["subject"],
        at=datetime.fromisoformat(mail["at"]),
        text=mail["text"],
        html=mail["html"],
        picture=picture,
        answers=next((value for name, value in mail.get("headers", ()) if name.lower() == "in-reply-to"), None),
        code=codes.read(picture) if picture else None,
    )


def is_outcome(message_id: str) -> bool:
    """Whether a mail brings the code or a refund; others, such as receipts, say how things stand."""
    return message_id.partition("@")[0].endswith((".qr", ".refund"))


def account_link(mail: Email) -> str:
    """The link to the order's page. Raises UnmetError where there is none."""
    link = _LINK.search(mail.text)
    if link is None:
        raise UnmetError(f"expected that mail {mail.id} links the order's page", "notifications")
    return link[0]


def html_alone(one: Email) -> str:
    """The HTML part as a file that shows its picture without the mail around it."""
    if one.picture is None:
        return one.html
    data = base64.b64encode(one.picture).decode()
    return one.html.replace('src="cid:qr"', f'src="data:image/png;base64,{data}"')


def excerpt(text: str, lines: int) -> list[str]:
    """The beginning of a mail: at most so many lines, without empty ones in a row, with a mark where it is cut."""
    kept: list[str] = []
    for line in text.strip().splitlines():
        if line.strip() or (kept and kept[-1]):
            kept.append(line.strip())
    if len(kept) <= lines:
        return kept
    kept = kept[:lines]
    while kept and not kept[-1]:
        kept.pop()
    return [*kept, "…"]
