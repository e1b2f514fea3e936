"""How to reach a buyer: e-mail and phone, valid in form and in one spelling (PO 3.2). No DNS, no probing."""

from dataclasses import dataclass

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from shared.values.email_address import mailbox_key


class ContactError(ValueError):
    """The address or number is not valid. The text says so without repeating it."""


@dataclass(frozen=True, slots=True)
class Email:
    """An address as it is written to, and what all spellings of its mailbox have in common."""

    address: str
    key: str


def read_email(text: str) -> Email:
    """An address in its normal form. Raises ContactError.

    Unusual but valid forms are kept: quoted local parts, tags, international names.
    """
    try:
        # test_environment lets the reserved top-level domain .test through (RFC 2606); it changes nothing else here.
        found = validate_email(
            text, check_deliverability=False, allow_quoted_local=True, strict=True, test_environment=True
        )
    except EmailNotValidError:
        raise ContactError("is not a valid e-mail address") from None
    return Email(found.normalized, mailbox_key(found.normalized))


def read_phone(text: str, region: str | None) -> str:
    """A number in E.164 (`+77011234567`). Raises ContactError.

    `region` (ISO 3166) is where a number without `+` is understood to be; without a region the `+` is needed.
    """
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not phonenumbers.is_valid_number(number):
        hint = "" if region else ", in international form beginning with +"
        raise ContactError(f"is not a valid phone number{hint}")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
