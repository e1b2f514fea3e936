"""EIDs, the numbers of eUICC chips: 32 digits, of which the last two are a checksum (GSMA SGP.29 v1.0 section 2)."""

import re

from shared.values.refusal import InvalidValueError

_DIGITS = re.compile(r"[0-9]{32}")
_MODULUS = 97
_LENGTH = 32


def parse(text: str) -> str:
    """An EID as a person gives it, without the spaces between its digits. Raises InvalidValueError."""
    digits = read(text)
    if digits is None or not is_valid(digits):
        raise InvalidValueError("must be the 32 digits of an EID, with its checksum")
    return digits


def read(value: object) -> str | None:
    """An EID as an outside system reports it, without a check of its checksum; None where it is none.

    Test chips may have EIDs that break the rules, and what a device reports is accepted; `is_valid` checks the rules.
    """
    if not isinstance(value, str) or len(value) > 2 * _LENGTH:
        return None
    digits = value.strip().replace(" ", "").replace("-", "")
    return digits if _DIGITS.fullmatch(digits) else None


def is_valid(digits: str) -> bool:
    """True where it begins with 89 (telecommunications) and the checksum is right (remainder 1 modulo 97)."""
    return digits.startswith("89") and int(digits) % _MODULUS == 1
