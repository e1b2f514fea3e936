"""Amounts at the border: major units on Epay's wire, minor units inside. All our currencies have two decimals."""

from decimal import Decimal, InvalidOperation

_PER_MAJOR = 100
_LARGEST = 10**15


def to_major(minor: int) -> int | float:
    """The JSON number for so many minor units: 300, or 12.22."""
    whole, rest = divmod(minor, _PER_MAJOR)
    return whole if rest == 0 else minor / _PER_MAJOR


def to_text(minor: int) -> str:
    """The same for a form field or a query: `300`, `12.22`."""
    whole, rest = divmod(minor, _PER_MAJOR)
    return str(whole) if rest == 0 else f"{whole}.{rest:02d}"


def to_minor(value: object) -> int | None:
    """Minor units of a number or a text; None when it is no amount of money in two decimals."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        minor = Decimal(str(value).strip()) * _PER_MAJOR
        exact = minor.is_finite() and 0 <= minor <= _LARGEST and minor == minor.to_integral_value()
    except (InvalidOperation, ValueError):
        return None
    return int(minor) if exact else None
