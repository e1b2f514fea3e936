"""Registration numbers of companies, as people and registers write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.values.company import CompanyCountry, check_digit, parse
from shared.values.refusal import InvalidValueError


@pytest.mark.parametrize(
    ("text", "country", "digits"),
    [
        ("123456789012", "KZ", None),
        ("123456789013", "KZ", "123456789013"),
        ("940140000385", "KZ", "940140000385"),
        ("9401 4000 0385", "KZ", "940140000385"),
        ("940140000384", "KZ", None),
        ("94014000038", "KZ", None),
        ("204378869", "GE", "204378869"),
        ("204-378-869", "GE", "204378869"),
        ("2043788690", "GE", None),
        ("20437886X", "GE", None),
        ("٢٠٤٣٧٨٨٦٩", "GE", None),
        ("", "GE", None),
        (" " * 100 + "204378869", "GE", None),
    ],
)
def test_what_is_a_number_and_what_is_not(text: str, country: CompanyCountry, digits: str | None) -> None:
    if digits is not None:
        assert parse(text, country) == digits
        return
    with pytest.raises(InvalidValueError) as refused:
        parse(text, country)
    assert str(refused.value).startswith("must be ")
    assert not text.strip() or text not in str(refused.value)


@given(st.text("0123456789", min_size=11, max_size=11), st.integers(1, 9))
def test_no_other_last_digit_is_taken(first: str, step: int) -> None:
    right = check_digit(first)
    if right is None:
        assert all(not _taken(f"{first}{digit}") for digit in range(10))
        return
    assert _taken(first + right)
    assert not _taken(f"{first}{(int(right) + step) % 10}")


def _taken(digits: str) -> bool:
    try:
        return parse(digits, "KZ") == digits
    except InvalidValueError:
        return False
