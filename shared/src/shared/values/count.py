"""Whole numbers that PostgreSQL's bigint holds."""

from typing import Annotated

from pydantic import Field

LARGEST = 2**63 - 1
SMALLEST = -(2**63)
LARGEST_INT = 2**31 - 1
_LONGEST_TEXT = 19

#: A count or a running number: 0 to 2^63-1. Narrow it with a second `Field(le=...)`.
Count = Annotated[int, Field(ge=0, le=LARGEST)]
#: A number chosen by an outside system that may be negative, such as Telegram's chat ids.
Id64 = Annotated[int, Field(ge=SMALLEST, le=LARGEST)]


def count(value: object, most: int = LARGEST) -> int | None:
    """A count as an outside system wrote it, as a number or as digits; None where it is none or too large."""
    if isinstance(value, str):
        digits = value.strip()
        if not digits.isascii() or not digits.isdigit() or len(digits) > _LONGEST_TEXT:
            return None
        value = int(digits)
    elif isinstance(value, float):
        if not value.is_integer() or abs(value) > LARGEST:
            return None
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= most else None
