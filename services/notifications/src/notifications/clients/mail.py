"""The interface of a mail server: an email to hand over, and the outcomes of handing it over (RFC 5321).

| outcome | what is certain |
|---|---|
| `Done` | the server took responsibility for the email: 2yz after the data |
| `MailRefused` | the server refuses this mailbox or this email for good |
| `MailNotSent` | the server accepted nothing; a later attempt may succeed |
| `Unknown` | all data was sent and the final reply is missing; SMTP offers no way to ask for it |
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from notifications.emails import Recipient
from shared.outcomes import Done, NotSent, Refused, Unknown

_ENHANCED = re.compile(r"\s*([245]\.[0-9]{1,3}\.[0-9]{1,3})\b")
_TRANSIENT, _PERMANENT, _BEYOND = 400, 500, 600


@dataclass(frozen=True, slots=True)
class Mail:
    """An email to hand over. `compose` returns its bytes; it takes a few milliseconds of CPU and may raise.

    `sender` is the return path. `needs_utf8` of the recipient requires SMTPUTF8 (RFC 6531).
    """

    sender: str
    to: Recipient
    compose: Callable[[], bytes]


@dataclass(frozen=True)
class MailRefused(Refused):
    """A final refusal. It keeps codes only, because the server's text may repeat the address."""

    smtp_code: int
    enhanced_code: str | None = None


@dataclass(frozen=True)
class MailNotSent(NotSent):
    """The email was not accepted. `refusal` holds the server's reply if it sent one."""

    refusal: MailRefused | None = None


MailOutcome = Done[None] | MailRefused | MailNotSent | Unknown


class Mailer(Protocol):
    """Hands emails to a mail server. `send` raises only what `compose` raises."""

    async def send(self, mail: Mail) -> MailOutcome:
        """Try once."""
        ...

    async def close(self) -> None:
        """Close all connections."""
        ...


def mail_refused(smtp_code: int, enhanced_code: str | None = None) -> MailRefused:
    """A refusal with its code as text: `550 5.1.1`."""
    code = f"{smtp_code} {enhanced_code}" if enhanced_code else str(smtp_code)
    return MailRefused(code, "the mail server refuses the mailbox or the email", smtp_code, enhanced_code)


#: RFC 3463: bad destination mailbox address syntax.
BAD_ADDRESS = mail_refused(553, "5.1.3")


def is_refusal(smtp_code: int) -> bool:
    """Whether a reply code is a refusal: 4yz or 5yz (RFC 5321 section 4.2.1)."""
    return _TRANSIENT <= smtp_code < _BEYOND


def reply_outcome(smtp_code: int, text: str, *, stage: str, final: bool) -> MailRefused | MailNotSent:
    """The outcome of a reply code other than success.

    `final` says whether a 5xx reply at this stage is about the mailbox or the email, and not about our own access.
    A code that is neither success nor refusal (999, or a success where none is possible) refuses no mailbox.
    """
    if not is_refusal(smtp_code):
        return MailNotSent(f"{stage}: the reply cannot be parsed")
    enhanced = _ENHANCED.match(text)
    refused = mail_refused(smtp_code, enhanced[1] if enhanced else None)
    if final and smtp_code >= _PERMANENT:
        return refused
    return MailNotSent(f"{stage}: {refused.code}", refusal=refused)


def outcome_label(outcome: Done[None] | Refused | NotSent | Unknown) -> str:
    """The outcome as spans and metrics name it; `notnow` and `uncertain` are the words that alarms read."""
    match outcome:
        case Done():
            return "accepted"
        case Refused():
            return "refused"
        case NotSent():
            return "notnow"
        case Unknown():
            return "uncertain"
