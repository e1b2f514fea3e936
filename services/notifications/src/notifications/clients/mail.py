"""How handing a mail to a mail server may end (RFC 5321), and the adapters' small protocol."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from notifications.emails import Recipient

_ENHANCED = re.compile(r"\s*([245]\.[0-9]{1,3}\.[0-9]{1,3})\b")
_TRANSIENT, _PERMANENT, _BEYOND = 400, 500, 600


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail to be sent. `compose` makes its bytes; it takes a few milliseconds of CPU and may raise."""

    sender: str
    to: Recipient
    compose: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The server took responsibility (250 after the data)."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The mailbox or the mail was refused for good. Codes only: the server's words may repeat the address."""

    code: int
    enhanced_code: str | None = None


@dataclass(frozen=True, slots=True)
class NotNow:
    """Nothing was accepted; `refusal` is the server's answer where it gave one."""

    reason: str
    refusal: Refused | None = None


@dataclass(frozen=True, slots=True)
class Uncertain:
    """All data were sent, and the final answer did not come. Nobody can find out (SMTP has no question for it)."""

    reason: str


Answer = Accepted | Refused | NotNow | Uncertain


class Mailer(Protocol):
    """Hands mails to a mail server. `send` raises only what `compose` raises."""

    async def send(self, mail: Mail) -> Answer:
        """Try once."""
        ...

    async def close(self) -> None:
        """Hang up."""
        ...


def is_refusal(code: int) -> bool:
    """Whether a reply code says no: 4yz or 5yz (RFC 5321 section 4.2.1). No other says what became of a mail."""
    return _TRANSIENT <= code < _BEYOND


def refusal(code: int, words: str, *, stage: str, final: bool) -> Refused | NotNow:
    """What a reply code other than success means. `final`: a 5xx at this stage speaks of this mailbox or mail.

    A code that is no refusal (999, or a success where none was possible) refuses no mailbox: it is tried again.
    """
    if not is_refusal(code):
        return NotNow(f"{stage}: a reply that makes no sense")
    found = _ENHANCED.match(words)
    refused = Refused(code, found[1] if found else None)
    if final and code >= _PERMANENT:
        return refused
    return NotNow(f"{stage}: {in_words(refused)}", refused)


def in_words(refused: Refused) -> str:
    """`550 5.1.1`."""
    return f"{refused.code} {refused.enhanced_code}" if refused.enhanced_code else str(refused.code)
