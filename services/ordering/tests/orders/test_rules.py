"""Filters are read as a whole or refused, cursors cannot be altered, and no cell of CSV is a formula."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordering.orders import Cursors
from ordering.orders.models import FILTERS, AlteredCursorError, Filters, ListedOrder, Place, UnservableError
from ordering.orders.rules import cell, read_filters, read_limit
from ordering.orders.views import csv_lines
from ordering.timeline.models import Status
from shared.ids import uuid7
from shared.testing.facts import PLAN

CURSORS = Cursors(b"a secret of the service")
MOMENTS = st.timedeltas(timedelta(0), timedelta(days=36_000)).map(
    lambda since: datetime(2000, 1, 1, tzinfo=UTC) + since
)
PLACES = st.builds(Place, MOMENTS, st.uuids())
FILTER_SETS = st.builds(
    Filters,
    status=st.none() | st.sampled_from(Status),
    plan=st.none() | st.sampled_from(["tr-5gb-30d", "eu-1gb-7d"]),
    mailbox=st.none() | st.emails(),
    text=st.none() | st.text(min_size=1, max_size=20),
)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@given(FILTER_SETS, PLACES)
def test_a_cursor_names_the_place_that_it_was_made_for(filters: Filters, place: Place) -> None:
    assert CURSORS.read("esimka", filters, CURSORS.make("esimka", filters, place)) == place


@given(PLACES, st.data())
def test_an_altered_cursor_is_refused(place: Place, data: st.DataObject) -> None:
    cursor = CURSORS.make("esimka", Filters(), place)
    at = data.draw(st.integers(0, len(cursor) - 1))
    other = data.draw(st.sampled_from(ALPHABET).filter(lambda character: character != cursor[at]))
    for altered in (cursor[:at] + other + cursor[at + 1 :], cursor[:at], cursor + other, cursor + "=", other + cursor):
        with pytest.raises(AlteredCursorError):
            CURSORS.read("esimka", Filters(), altered)


@given(st.text(max_size=120))
def test_a_text_that_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(AlteredCursorError):
        CURSORS.read("esimka", Filters(), text)


@given(FILTER_SETS, FILTER_SETS, PLACES)
def test_a_cursor_is_of_one_shop_and_its_filters(made_for: Filters, used_with: Filters, place: Place) -> None:
    cursor = CURSORS.make("esimka", made_for, place)
    for reader, shop, filters in (
        (CURSORS, "qazaq-esim", made_for),
        (Cursors(b"another secret"), "esimka", made_for),
        *([(CURSORS, "esimka", used_with)] if used_with != made_for else []),
    ):
        with pytest.raises(AlteredCursorError):
            reader.read(shop, filters, cursor)


def test_filters_are_read_into_one_form() -> None:
    read = read_filters(
        [
            ("status", "delivered"),
            ("plan", "tr-5gb-30d"),
            ("from", "2026-11-01"),
            ("to", "2026-11-02T00:00:00+05:00"),
            ("email", "Anna@Example.org"),
            ("q", " 10000017 "),
            ("limit", "3"),
        ],
        ("limit", "cursor"),
    )
    assert read == Filters(
        Status.DELIVERED,
        "tr-5gb-30d",
        datetime(2026, 11, 1, tzinfo=UTC),
        datetime(2026, 11, 1, 19, tzinfo=UTC),
        "anna@example.org",
        "10000017",
    )
    assert read_filters([("q", "ANNA@example.org")], ()).text_mailbox == "anna@example.org"


@pytest.mark.parametrize(
    ("query", "faulty"),
    [
        ([("state", "paid")], {"state"}),
        ([("phone", "+77011234567"), ("status", "gone")], {"phone", "status"}),
        ([("status", "paid"), ("status", "held")], {"status"}),
        ([("status", "")], {"status"}),
        ([("plan", "' OR 1=1 --")], {"plan"}),
        ([("from", "yesterday"), ("to", "9999-12-31")], {"from", "to"}),
        ([("from", "2026-11-02"), ("to", "2026-11-02")], {"to"}),
        ([("email", "anna")], {"email"}),
        ([("q", "  ")], {"q"}),
        ([("q", "a\x00b")], {"q"}),
        ([("q", "x" * 321)], {"q"}),
        ([("limit", "3")], {"limit"}),
    ],
)
def test_what_cannot_be_served_is_refused_by_name(query: list[tuple[str, str]], faulty: set[str]) -> None:
    with pytest.raises(UnservableError) as refused:
        read_filters(query, ())
    assert refused.value.faults.keys() == faulty
    if faulty - set(FILTERS):
        assert all(name in str(refused.value.faults) for name in FILTERS), "it says which there are"


@pytest.mark.parametrize("text", ["0", "201", "-1", "1e2", "٣", "", "99999999999999999999"])
def test_a_page_has_a_bounded_size(text: str) -> None:
    with pytest.raises(UnservableError):
        read_limit(text)


@given(st.sampled_from(["=", "+", "-", "@", "\t", "\r", "\n", ""]), st.text(max_size=30))
def test_no_cell_is_a_formula(start: str, rest: str) -> None:
    assert cell(start + rest)[:1] not in {"=", "+", "-", "@", "\t", "\r", "\n"}
    assert cell(start + rest).removeprefix("'") == (start + rest).removeprefix("'")


def test_csv_keeps_texts_that_contain_its_own_characters() -> None:
    submission = '=HYPERLINK("https://example.org","a,b")'
    order = ListedOrder(
        uuid7(),
        10000017,
        submission,
        "esim",
        "paid",
        PLAN.model_dump(),
        990,
        "USD",
        datetime(2026, 1, 1, tzinfo=UTC),
        None,
    )
    [row] = csv.DictReader(io.StringIO(csv_lines([order], head=True).decode(), newline=""))
    assert row["submission_id"] == f"'{submission}"
    assert (row["order_number"], row["price_minor"], row["iccid"]) == ("10000017", "990", "")
