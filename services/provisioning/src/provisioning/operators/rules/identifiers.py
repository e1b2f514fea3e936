"""Makes ICCIDs of our allotted range, and matching ids that cannot be guessed."""

import base64
import secrets

from shared.values.iccid import check_digit

#: Digits before the check digit of a 19-digit ICCID (ITU-T E.118).
_BODY = 18
_MATCHING_ID_LENGTH = 26  # base-32 characters: 130 bits


class RangeExhaustedError(Exception):
    """The operator must allot more ICCIDs: the serial does not fit behind the prefix any more."""


def iccid(prefix: str, serial: int) -> str:
    """The 19-digit ICCID of a serial number in our range. Raises RangeExhaustedError."""
    width = _BODY - len(prefix)
    if not 0 <= serial < 10**width:
        raise RangeExhaustedError(f"serial {serial} does not fit the range {prefix}…")
    body = f"{prefix}{serial:0{width}d}"
    return body + check_digit(body)


def new_matching_id() -> str:
    """A bearer secret of 130 random bits, in the alphabet of matching ids."""
    return base64.b32encode(secrets.token_bytes(20))[:_MATCHING_ID_LENGTH].decode()
