"""Counts, moments, money, ids, links, addresses of clients, traceparents."""

from datetime import UTC, date, datetime, timedelta, timezone
from ipaddress import IPv4Address, IPv6Address
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from shared.testing.documents import Json
from shared.values.client_address import ClientAddress
from shared.values.count import LARGEST, Count, Id64, count
from shared.values.moment import Day, Moment, moment
from shared.values.money import LARGEST as MOST_MONEY
from shared.values.money import to_major, to_minor, to_text
from shared.values.opaque import NOTHING, Named, Opaque, Url, opaque, url
from shared.values.traceparent import is_sampled, parse

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"


def refused(annotation: Json, value: object) -> bool:
    try:
        TypeAdapter(annotation).validate_python(value)
    except ValidationError:
        return True
    return False


def test_counts_fit_a_bigint() -> None:
    assert TypeAdapter(Count).validate_python(LARGEST) == LARGEST
    for value in (-1, LARGEST + 1, 10**400, "x", 1.5, None):
        assert refused(Count, value)
    assert TypeAdapter(Id64).validate_python(-(2**63)) == -(2**63)
    assert refused(Id64, -(2**63) - 1)


@given(st.one_of(st.integers(), st.floats(), st.text(), st.booleans(), st.none()))
def test_a_count_of_an_outside_system_fits_or_is_none(value: object) -> None:
    read = count(value)
    assert read is None or 0 <= read <= LARGEST


@pytest.mark.parametrize(
    ("value", "read"), [("12", 12), (12, 12), (12.0, 12), ("١٢", None), (True, None), ("-1", None), ("9" * 5000, None)]
)
def test_counts_of_outside_systems(value: object, read: int | None) -> None:
    assert count(value) == read


@pytest.mark.parametrize(
    "value",
    [
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "1999-12-31T23:59:59Z",
        "2100-01-01T00:00:00Z",
        "2026-01-01T00:00:00",
        10**30,
        -(10**11),
        "x",
        "2026-01-01T00:00:00+99:00",
    ],
)
def test_a_moment_lies_in_sane_years(value: object) -> None:
    assert refused(Moment, value)
    assert moment(value) is None


def test_a_time_is_given_in_utc() -> None:
    almaty = timezone(timedelta(hours=5))
    assert TypeAdapter(Moment).validate_python(datetime(2026, 1, 1, 3, tzinfo=almaty)) == datetime(
        2025, 12, 31, 22, tzinfo=UTC
    )
    assert moment("2026-01-01T03:00:00+05:00") == datetime(2025, 12, 31, 22, tzinfo=UTC)
    assert TypeAdapter(Moment).validate_python(datetime(2026, 1, 1, 3, tzinfo=almaty)).tzinfo is UTC


@given(st.datetimes(timezones=st.timezones()))
def test_every_datetime_is_either_kept_or_refused(value: datetime) -> None:
    try:
        kept = TypeAdapter(Moment).validate_python(value)
    except ValidationError:
        return
    assert kept == value.astimezone(UTC)
    assert 2000 <= kept.year < 2100


def test_a_day_lies_in_sane_years() -> None:
    assert TypeAdapter(Day).validate_python("2026-01-31") == date(2026, 1, 31)
    for value in ("0001-01-01", "9999-12-31", "1999-12-31", "2100-01-01"):
        assert refused(Day, value)


@given(st.integers(0, MOST_MONEY))
def test_money_survives_every_wire(minor: int) -> None:
    assert to_minor(to_text(minor)) == minor
    if minor < 10**13:
        assert to_minor(to_major(minor)) == minor


@given(
    st.one_of(
        st.integers(),
        st.floats(),
        st.text(),
        st.from_regex(r"-?[0-9]{1,9}(\.[0-9]{1,4})?([eE][0-9]{1,9})?", fullmatch=True),
    )
)
def test_money_is_exact_or_none(value: object) -> None:
    read = to_minor(value)
    assert read is None or 0 <= read <= MOST_MONEY


@pytest.mark.parametrize(
    "value", ["1.001", "-1", "1e999999999", "NaN", float("inf"), True, None, [], 10**30, "9" * 5000]
)
def test_what_is_no_money(value: object) -> None:
    assert to_minor(value) is None


def test_ids_of_others_are_printable() -> None:
    kind = Annotated[str, Opaque(5)]
    assert TypeAdapter(kind).validate_python("a-1 b") == "a-1 b"
    for value in ("", "abcdef", "a\x00", "ä", 5, "\ud800"):
        assert refused(kind, value)
    assert opaque(" a1 ", 5) == "a1"
    assert opaque(42, 5) == "42"
    assert [opaque(value, 5) for value in ("", " ", "abcdef", "ä", "a\x00", None, True, -1, 10**6)] == [None] * 9


@pytest.mark.parametrize(
    "value",
    [
        "javascript:alert(1)",
        "ftp://x",
        "https://",
        "https://a b",
        "https://a\x00",
        "https://a\ud800",
        "",
        "https://" + "a" * 2000,
        " https://a",
    ],
)
def test_what_is_no_link(value: str) -> None:
    assert url(value) is None
    assert refused(Annotated[str, Url()], value)


def test_what_can_be_no_name_names_nothing() -> None:
    names = TypeAdapter[str](Named)
    assert names.validate_python("10000001") == "10000001"
    assert [names.validate_python(value) for value in ("\x00", "a\nb", "\ud800", "x" * 201)] == [NOTHING] * 4
    assert names.json_schema() == {"type": "string"}


def test_links() -> None:
    assert url("http://localhost:8000/x?y=z#w") is not None
    assert url("https://пример.рф/ж") is not None
    assert TypeAdapter(Annotated[str, Url(or_empty=True)]).validate_python("") == ""


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:4711", "192.0.2.1"),
        (" 2001:DB8:0::1 ", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ('"[2001:db8::1]:443"', "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%eth0]:80", "fe80::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("[::ffff:192.0.2.1]:80", "192.0.2.1"),
    ],
)
def test_addresses_of_clients(text: str, address: str) -> None:
    found = ClientAddress.parse(text)
    assert found is not None
    assert found.text == address
    assert ClientAddress.parse(found.text) == found


@pytest.mark.parametrize(
    "value",
    [
        "",
        "unknown",
        "_hidden",
        "1.2.3",
        "1.2.3.4.5",
        "01.2.3.4",
        "fe80::1%" + "z" * 4000,
        "[::1",
        "::1]",
        "1.2.3.4:x",
        "1.2.3.4\x00",
        None,
        5,
    ],
)
def test_what_is_no_address(value: object) -> None:
    assert ClientAddress.parse(value) is None


@given(st.ip_addresses(), st.integers(0, 65535))
def test_every_address_is_read_with_and_without_a_port(ip: IPv4Address | IPv6Address, port: int) -> None:
    plain = ClientAddress.parse(str(ip))
    assert plain is not None
    assert ClientAddress.parse(f"[{ip}]:{port}" if ip.version == 6 else f"{ip}:{port}") == plain
    assert plain.household


def test_a_household_shares_a_limit() -> None:
    one, other = ClientAddress.parse("2001:db8:1:2:3::1"), ClientAddress.parse("2001:db8:1:2:ffff::9")
    assert one is not None
    assert other is not None
    assert one.household == other.household == "2001:db8:1:2::/64"
    assert not one.is_public


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        (f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-01"),
        (f"00-{TRACE}-{PARENT}-03", f"00-{TRACE}-{PARENT}-03"),
        (f"00-{TRACE}-{PARENT}-ff", f"00-{TRACE}-{PARENT}-03"),
        (f"00-{TRACE}-{PARENT}-08", f"00-{TRACE}-{PARENT}-00"),
        (f"01-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-01"),
        (f"cc-{TRACE}-{PARENT}-09-what-the-future-holds", f"00-{TRACE}-{PARENT}-01"),
        (f"cc-{TRACE}-{PARENT}-01-", f"00-{TRACE}-{PARENT}-01"),
    ],
)
def test_traceparents_of_any_version_continue_their_trace(text: str, normal: str) -> None:
    assert parse(text) == normal
    assert parse(normal) == normal


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01-x",
        f"cc-{TRACE}-{PARENT}-01x",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-0",
        f"00-{TRACE}-{PARENT}-01\n",
        f"cc-{TRACE}-{PARENT}-01-" + "x" * 600,
    ],
)
def test_malformed_traceparents(text: str | None) -> None:
    assert parse(text) is None


def test_sampled_is_a_bit() -> None:
    assert [is_sampled(f"00-{TRACE}-{PARENT}-{flags}") for flags in ("00", "01", "02", "03")] == [
        False,
        True,
        False,
        True,
    ]
