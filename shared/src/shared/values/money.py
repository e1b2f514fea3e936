"""Amounts at the border: major units on wires, minor units inside. All our currencies have two decimals."""

from decimal import Decimal

_PER_MAJOR = 100
#: In minor units: far above any price, far below 2^63, so that sums fit too.
LARGEST = 10**15
_LONGEST_TEXT = 32


def to_major(minor: int) -> int | float:
    """The JSON number for so many minor units: 300, or 12.22."""
    whole, rest = divmod(minor, _PER_MAJOR)
    return whole if rest == 0 else minor / _PER_MAJOR


def to_text(minor: int) -> str:
    """The same for a form field or a query: `300`, `12.22`."""
    whole, rest = divmod(minor, _PER_MAJOR)
    return str(whole) if rest == 0 else f"{whole}.{rest:02d}"


def to_minor(value: object) -> int | None:
    """Minor units of a number or a text; None when it is no amount of money in two decimals. Never raises."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, int):
        return value * _PER_MAJOR if 0 <= value <= LARGEST // _PER_MAJOR else None
    text = str(value).strip()
    if len(text) > _LONGEST_TEXT:
        return None
    try:
        minor = Decimal(text) * _PER_MAJOR
        exact = minor.is_finite() and 0 <= minor <= LARGEST and minor == minor.to_integral_value()
    except ArithmeticError:  # no number, or one of a billion digits
        return None
    return int(minor) if exact else None
