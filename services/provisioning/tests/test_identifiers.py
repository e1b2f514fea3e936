import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.domain.activation import activation_code
from provisioning.domain.identifiers import (
    RangeExhaustedError,
    check_digit,
    check_prefix,
    from_the_wire,
    iccid,
    is_luhn_valid,
    new_matching_id,
    on_the_wire,
)

PREFIX = "8999702"
LAST = 10**11 - 1


def test_check_digits() -> None:
    assert check_digit("7992739871") == "3"  # the example that every description of the Luhn formula uses
    assert check_digit("898831234567890123") == str(-_sum("898831234567890123") % 10)


def _sum(digits: str) -> int:
    """The definition, another way round: every second digit from the right, doubled, with its digits added."""
    doubled = [sum(divmod(2 * int(digit), 10)) for digit in digits[-1::-2]]
    return sum(doubled) + sum(int(digit) for digit in digits[-2::-2])


@given(st.integers(0, LAST))
def test_iccids_are_19_digits_in_our_range_with_a_valid_check_digit(serial: int) -> None:
    made = iccid(PREFIX, serial)
    assert re.fullmatch(PREFIX + r"[0-9]{12}", made)
    assert is_luhn_valid(made)
    assert int(made[len(PREFIX) : -1]) == serial
    assert from_the_wire(on_the_wire(made)) == made
    assert len(on_the_wire(made)) == 20


@given(st.integers(0, LAST), st.integers(0, 18), st.integers(1, 9))
def test_one_wrong_digit_is_noticed(serial: int, place: int, by: int) -> None:
    made = iccid(PREFIX, serial)
    wrong = made[:place] + str((int(made[place]) + by) % 10) + made[place + 1 :]
    assert not is_luhn_valid(wrong)


@given(st.lists(st.integers(0, LAST), unique=True, max_size=50))
def test_serials_never_share_an_iccid(serials: list[int]) -> None:
    assert len({iccid(PREFIX, serial) for serial in serials}) == len(serials)


def test_an_exhausted_range_is_an_error() -> None:
    with pytest.raises(RangeExhaustedError):
        iccid(PREFIX, LAST + 1)


@pytest.mark.parametrize("prefix", ["", "88999701", "89", "8999x", "89" + "1" * 14])
def test_impossible_prefixes(prefix: str) -> None:
    with pytest.raises(ValueError, match="ICCID_PREFIX"):
        check_prefix(prefix)


def test_matching_ids_are_long_and_never_the_same() -> None:
    made = {new_matching_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(re.fullmatch(r"[0-9A-Z]{26}", one) for one in made)


def test_activation_codes() -> None:
    assert activation_code("smdp.example", "ABC") == "LPA:1$smdp.example$ABC"
    assert activation_code("smdp.example", "ABC", confirmation_code=True) == "LPA:1$smdp.example$ABC$$1"
    with pytest.raises(ValueError, match="separator"):
        activation_code("smdp$example", "ABC")
