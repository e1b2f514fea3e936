"""The registration numbers of legal persons: what an order for a company names beside its name (PO 1).

Kazakhstan: the BIN of a company or the IIN of a sole trader, 12 digits; the last one is a check digit. Georgia: the
identification code, 9 digits; no check digit is published for it.
"""

import re
from typing import Literal

from shared.values.refusal import InvalidValueError

CompanyCountry = Literal["KZ", "GE"]
_LENGTHS: dict[CompanyCountry, int] = {"KZ": 12, "GE": 9}
_EXPECTED: dict[CompanyCountry, str] = {
    "KZ": "must be a BIN or IIN: 12 digits, of which the last is the check digit of the others",
    "GE": "must be an identification code: 9 digits",
}
_LONGEST = 40
_SEPARATORS = re.compile(r"[ \u00a0-]")
_MODULUS = 11
#: No check digit by the first weights (1 to 11): the second ones count, from 3 on; by neither: no such number exists.
_WEIGHTS = (tuple(range(1, 12)), (*range(3, 12), 1, 2))


def parse(text: str, country: CompanyCountry) -> str:
    """The digits alone; spaces and hyphens between them are dropped. Raises InvalidValueError."""
    digits = _SEPARATORS.sub("", text) if len(text) <= _LONGEST else ""
    if re.fullmatch(rf"[0-9]{{{_LENGTHS[country]}}}", digits) is None:
        raise InvalidValueError(_EXPECTED[country])
    if country == "KZ" and check_digit(digits[:-1]) != digits[-1]:
        raise InvalidValueError(_EXPECTED[country])
    return digits


def check_digit(digits: str) -> str | None:
    """The check digit of the first 11 digits of a BIN or IIN; None: these digits are never given out."""
    for weights in _WEIGHTS:
        rest = sum(weight * int(digit) for weight, digit in zip(weights, digits, strict=True)) % _MODULUS
        if rest < _MODULUS - 1:
            return str(rest)
    return None
