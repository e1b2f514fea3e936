"""ICCIDs from our allotted range, and matching ids that nobody can guess."""

import base64
import re
import secrets

#: Digits before the check digit of a 19-digit ICCID (ITU-T E.118).
_BODY = 18
_ICCID_ON_THE_WIRE = 20
_MATCHING_ID_LENGTH = 26  # base-32 characters: 130 bits
_PREFIX = re.compile(r"89[0-9]{4,13}")


class RangeExhaustedError(Exception):
    """The operator must allot more ICCIDs: the serial does not fit behind the prefix any more."""


def check_prefix(prefix: str) -> None:
    """Raises ValueError when this cannot begin an ICCID."""
    if not _PREFIX.fullmatch(prefix):
        raise ValueError("ICCID_PREFIX is 89 (telecom) followed by 4 to 13 digits")


def check_digit(digits: str) -> str:
    """The Luhn digit that completes `digits` (ISO/IEC 7812-1 annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled // 10 + doubled % 10
    return str(-total % 10)


def is_luhn_valid(digits: str) -> bool:
    """True where the last digit is the check digit of those before it."""
    return check_digit(digits[:-1]) == digits[-1:]


def iccid(prefix: str, serial: int) -> str:
    """The 19-digit ICCID of a serial number in our range. Raises RangeExhaustedError."""
    width = _BODY - len(prefix)
    if not 0 <= serial < 10**width:
        raise RangeExhaustedError(f"serial {serial} does not fit the range {prefix}…")
    body = f"{prefix}{serial:0{width}d}"
    return body + check_digit(body)


def on_the_wire(iccid: str) -> str:
    """As ES2+ carries it: 19 digits are filled up with F (SGP.22 v2.5 section 6.5.2)."""
    return iccid.ljust(_ICCID_ON_THE_WIRE, "F") if len(iccid) < _ICCID_ON_THE_WIRE else iccid


def from_the_wire(iccid: str) -> str:
    """Without the filler."""
    return iccid.rstrip("Ff")


def new_matching_id() -> str:
    """A bearer secret of 130 random bits, in the alphabet of matching ids."""
    return base64.b32encode(secrets.token_bytes(20))[:_MATCHING_ID_LENGTH].decode()
