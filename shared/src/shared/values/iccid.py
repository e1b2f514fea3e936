"""ICCIDs, the numbers of SIM profiles (ITU-T E.118): 18 to 20 digits as printed.

Wires of 20 nibbles fill them up with F (SGP.22 v2.5 section 6.5.2). The last digit is usually a Luhn check digit, but
operators number without it too, so it is not demanded.
"""

import re
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from shared.values.refusal import InvalidValueError

_DIGITS = re.compile(r"[0-9]{18,20}")
_ON_THE_WIRE = 20
EXPECTED = "must be 18 to 20 digits"


def parse(text: str) -> str:
    """An ICCID as printed; spaces and hyphens between the digits and the wire's filler are dropped.

    Raises InvalidValueError.
    """
    digits = read(text)
    if digits is None:
        raise InvalidValueError(EXPECTED)
    return digits


def read(value: object) -> str | None:
    """An ICCID as an outside system wrote it, with or without the filler F; None where it is none."""
    if not isinstance(value, str) or len(value) > 2 * _ON_THE_WIRE:
        return None
    digits = value.strip().replace(" ", "").replace("-", "").rstrip("Ff")
    return digits if _DIGITS.fullmatch(digits) else None


def on_the_wire(iccid: str) -> str:
    """20 characters, filled up with F."""
    return iccid.ljust(_ON_THE_WIRE, "F")


def check_digit(digits: str) -> str:
    """The Luhn digit that completes `digits` (ISO/IEC 7812-1 annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled // 10 + doubled % 10
    return str(-total % 10)


class _Iccid:
    """Lenient in spelling; the JSON Schema keeps the pattern of what is written."""

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        digits = core_schema.str_schema(pattern=r"^[0-9]{18,20}$")
        return core_schema.no_info_before_validator_function(_spelt, digits)


def _spelt(value: object) -> object:
    return (read(value) or value) if isinstance(value, str) else value


#: A field of a border: spellings of people and wires are taken, digits are kept.
Iccid = Annotated[str, _Iccid()]
