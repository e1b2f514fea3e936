"""E-mail addresses: valid in form, in one spelling, with the domain as SMTP carries it. No DNS, no probing.

International domains are read by IDNA2008 (RFC 5891) everywhere: `max@faß.de` is at `xn--fa-hia.de`, never at
`fass.de`, which is another domain. Python's codec `idna` is IDNA2003 and must not be used (a test looks for it).

What intake accepts is sent to: quoted local parts (`"john smith"@example.org`), and international ones, which need a
mail server with SMTPUTF8 (RFC 6531). Address literals (`a@[192.0.2.1]`) and comments are refused.
Limits: 254 characters in all, 64 bytes of local part (RFC 5321 section 4.5.3.1).
"""

import re
import unicodedata
from dataclasses import dataclass, field

import idna
from email_validator import EmailNotValidError, validate_email

from shared.values.refusal import InvalidValueError
from shared.values.text import one_line

#: Longer text is refused without parsing.
LONGEST = 320
_INVALID = "is not a valid e-mail address"
_PLAIN_DOMAIN = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*", re.ASCII)
_QUOTED = re.compile(r'"(?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*"')
_UNQUOTED = re.compile(r'[^\s"<>(),:;@\\\[\]\x00-\x1f\x7f-\x9f]+')


@dataclass(frozen=True, slots=True)
class Email:
    """An address. `text` is for people, `ascii_domain` for SMTP."""

    text: str = field(repr=False)
    ascii_domain: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "Email":
        """An address as a person gives it, in its normal form. Raises InvalidValueError.

        The reserved top-level domain .test is allowed (RFC 2606): tests and demonstrations use it.
        """
        text = one_line(text)
        if len(text) > LONGEST:
            raise InvalidValueError(_INVALID)
        try:
            valid = validate_email(
                text, check_deliverability=False, allow_quoted_local=True, strict=True, test_environment=True
            )
        except EmailNotValidError:
            raise InvalidValueError(_INVALID) from None
        return cls(valid.normalized, valid.ascii_domain)

    @classmethod
    def stored(cls, text: str) -> "Email":
        """Parse a stored address again. Raises InvalidValueError where it cannot have been parsed before.

        It decides nothing: whatever an earlier release accepted is written to, if SMTP can say it.
        """
        local, _, domain = text.rpartition("@")
        if not _UNQUOTED.fullmatch(local) and not _QUOTED.fullmatch(local):
            raise InvalidValueError(_INVALID)
        if _PLAIN_DOMAIN.fullmatch(domain):
            return cls(text, domain)
        try:
            return cls(text, idna.encode(domain, uts46=True).decode())
        except idna.IDNAError:
            raise InvalidValueError(_INVALID) from None

    @property
    def local(self) -> str:
        """The local part, quoted where it was quoted."""
        return self.text.rpartition("@")[0]

    @property
    def for_smtp(self) -> str:
        """The address as MAIL FROM, RCPT TO and header fields carry it."""
        return f"{self.local}@{self.ascii_domain}"

    @property
    def needs_utf8(self) -> bool:
        """True where only SMTPUTF8 (RFC 6531) can carry the address."""
        return not self.local.isascii()

    @property
    def key(self) -> str:
        """The key of one mailbox, and so of one buyer: case is ignored.

        In theory local parts may differ by case, in practice one person types both. Lower case, not `casefold`: that
        makes `ß` and `ss` one, which are two mailboxes, and two domains.
        """
        return mailbox_key(self.text)


def mailbox_key(text: str) -> str:
    """`Email.key` of an address that was parsed before. Composed and decomposed letters are the same."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).lower())
