"""ICCID, EID and activation code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from shared.values import eid, iccid
from shared.values.activation_code import ActivationCode
from shared.values.refusal import InvalidValueError

DIGITS = st.from_regex(r"[0-9]{18,20}", fullmatch=True)
PARTS = st.from_regex(r"[A-Za-z0-9-]{1,30}", fullmatch=True)


@given(DIGITS)
def test_an_iccid_survives_the_wire(digits: str) -> None:
    wire = iccid.on_the_wire(digits)
    assert len(wire) == 20
    assert iccid.read(wire) == digits
    assert iccid.read(wire.lower()) == digits
    assert iccid.parse(f" {digits[:4]} {digits[4:]}") == digits


@pytest.mark.parametrize(
    "text", ["", "1" * 17, "1" * 21, "89F01612345678901234", "８９990011916180280000"[:20], "1" * 19 + "\x00", "F" * 20]
)
def test_what_is_no_iccid_is_refused(text: str) -> None:
    assert iccid.read(text) is None
    with pytest.raises(InvalidValueError):
        iccid.parse(text)
    with pytest.raises(ValidationError):
        TypeAdapter(iccid.Iccid).validate_python(text)


def test_a_border_takes_an_iccid_in_any_spelling() -> None:
    assert TypeAdapter(iccid.Iccid).validate_python("8999 7020 0000 0000 048F") == "8999702000000000048"
    assert TypeAdapter(iccid.Iccid).json_schema() == {"type": "string", "pattern": "^[0-9]{18,20}$"}
    assert iccid.read(8999702000000000048) is None


@given(st.from_regex(r"[0-9]{17,19}", fullmatch=True), st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_is_found(body: str, place: int, by: int) -> None:
    whole = body + iccid.check_digit(body)
    wrong = whole[:place] + str((int(whole[place]) + by) % 10) + whole[place + 1 :]
    assert iccid.check_digit(wrong[:-1]) != wrong[-1]


def test_the_example_of_the_standard_is_an_eid() -> None:
    assert eid.parse("8900 1012 0123 4123 4012 3456 7890 1224") == "89001012012341234012345678901224"


@given(st.from_regex(r"89[0-9]{28}", fullmatch=True), st.integers(2, 31), st.integers(1, 9))
def test_an_eid_is_strict_for_people_and_lenient_for_systems(body: str, place: int, by: int) -> None:
    whole = f"{body}{98 - int(body) * 100 % 97:02d}"
    assert eid.parse(whole) == whole
    wrong = whole[:place] + str((int(whole[place]) + by) % 10) + whole[place + 1 :]
    assert eid.read(wrong) == wrong
    with pytest.raises(InvalidValueError):
        eid.parse(wrong)


@pytest.mark.parametrize("value", [None, 5, "", "89" * 15, "89" * 17, "8" * 31 + "x", "8" * 31 + "\x00"])
def test_what_is_no_eid_is_not_read(value: object) -> None:
    assert eid.read(value) is None


@given(PARTS, PARTS, st.sampled_from(["", "1.3.6.1.4.1.31746"]), st.booleans())
def test_an_activation_code_is_read_as_it_was_made(address: str, matching: str, oid: str, asks: bool) -> None:
    made = ActivationCode.of(address, matching, oid=oid, confirmation_code=asks)
    read = ActivationCode.parse(made.text)
    assert (read.smdp_address, read.matching_id, read.oid) == (address, matching, oid or None)
    assert read.needs_confirmation_code is asks
    assert ActivationCode.parse(made.text.removeprefix("LPA:")) == read
    assert ActivationCode.parse("lpa:" + made.text.removeprefix("LPA:")) == read


def test_the_secret_is_not_shown() -> None:
    assert "AGYFT" not in repr(ActivationCode.parse("LPA:1$smdp.example.com$04386-AGYFT"))


def test_what_a_newer_release_adds_is_carried_on() -> None:
    code = ActivationCode.parse("LPA:1$smdp.example.com$04386-AGYFT$1.3.6$1$c0ffee")
    assert code.needs_confirmation_code
    assert code.text.endswith("$c0ffee")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "LPA:1$",
        "LPA:1$$x",
        "LPA:2$a$b",
        "LPA:1$a",
        "LPA:1$a$b$$2",
        "LPA:1$a$b c",
        "LPA:1$a$b\x00",
        "LPA:1$a$ж",
        "LPA:1$a$" + "b" * 300,
    ],
)
def test_what_no_phone_could_scan_is_refused(text: str) -> None:
    with pytest.raises(InvalidValueError):
        ActivationCode.parse(text)


@pytest.mark.parametrize("parts", [("", "x"), ("a", ""), ("a$b", "c"), ("a", "b$c")])
def test_no_code_is_made_of_bad_parts(parts: tuple[str, str]) -> None:
    with pytest.raises(InvalidValueError):
        ActivationCode.of(*parts)
