"""Amounts: major units with a fraction on the wire, integer minor units in the ledger (docs/wire/epay.md)."""

from decimal import Decimal

MINOR_PER_MAJOR = 100
LARGEST_MINOR = 10**15


def to_minor(value: object) -> int | None:
    """Minor units of a wire amount (number or text); None when it is not an amount of money."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    try:
        minor = Decimal(str(value).strip()) * MINOR_PER_MAJOR
    except ArithmeticError:
        return None
    if not minor.is_finite() or not 0 <= minor <= LARGEST_MINOR or minor != minor.to_integral_value():
        return None
    return int(minor)


def to_major(minor: int) -> int | float:
    """The wire's number for so many minor units: 300, or 12.22."""
    whole, rest = divmod(minor, MINOR_PER_MAJOR)
    return whole if rest == 0 else minor / MINOR_PER_MAJOR
