import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.operators.rules.identifiers import RangeExhaustedError, iccid, matching_id, serial_of
from provisioning.settings import check_prefix
from shared.values.iccid import check_digit, on_the_wire, read

PREFIX = "8999702"
LAST = 10**11 - 1


@given(st.integers(0, LAST))
def test_iccids_are_19_digits_in_our_range_with_a_valid_check_digit(serial: int) -> None:
    made = iccid(PREFIX, serial)
    assert re.fullmatch(PREFIX + r"[0-9]{12}", made)
    assert check_digit(made[:-1]) == made[-1]
    assert int(made[len(PREFIX) : -1]) == serial
    assert read(on_the_wire(made)) == made
    assert len(on_the_wire(made)) == 20


@given(st.integers(0, LAST), st.integers(0, 18), st.integers(1, 9))
def test_one_wrong_digit_is_noticed(serial: int, place: int, by: int) -> None:
    made = iccid(PREFIX, serial)
    wrong = made[:place] + str((int(made[place]) + by) % 10) + made[place + 1 :]
    assert check_digit(wrong[:-1]) != wrong[-1]


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


def test_matching_ids_are_long_never_the_same_and_follow_from_key_and_iccid() -> None:
    numbers = [iccid(PREFIX, serial) for serial in range(1000)]
    made = {matching_id(b"key", number) for number in numbers}
    assert len(made) == 1000
    assert all(re.fullmatch(r"[0-9A-Z]{26}", one) for one in made)
    assert made == {matching_id(b"key", number) for number in numbers}
    assert made.isdisjoint(matching_id(b"another key", number) for number in numbers)


@given(st.integers(0, LAST))
def test_the_serial_is_read_back_from_an_iccid_of_our_range(serial: int) -> None:
    assert serial_of(PREFIX, iccid(PREFIX, serial)) == serial
    assert serial_of(PREFIX, iccid("8999703", serial)) is None
