"""Makes ICCIDs of our allotted range, and matching ids that cannot be guessed."""

import base64
import hashlib
import hmac

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


def serial_of(prefix: str, number: str) -> int | None:
    """The serial number of an ICCID of our range; None for one of another range."""
    if not number.startswith(prefix) or len(number) != _BODY + 1:
        return None
    return int(number[len(prefix) : _BODY])


def matching_id(key: bytes, number: str) -> str:
    """The matching id of an ICCID, in the alphabet of matching ids: a bearer secret of 130 bits.

    Nobody without the service's key can guess it. With the key it can be computed again, when the database was put back
    to a moment before the profile was made (docs/how-to/restore-a-database.md).
    """
    secret = hmac.digest(key, b"matching id " + number.encode(), hashlib.sha256)
    return base64.b32encode(secret[:20])[:_MATCHING_ID_LENGTH].decode()
