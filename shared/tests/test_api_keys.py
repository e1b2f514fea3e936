"""What an API key of a shop is made of, and when it is in force."""

from datetime import UTC, datetime, timedelta

import pytest

from shared.ids import uuid7
from shared.keys.models import StoredKey, has_key_form, hash_of, is_test_key, new_key, prefix_of

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


def test_a_new_key_is_recognisable_and_like_no_other() -> None:
    keys = [new_key(test=number % 2 == 1) for number in range(1000)]
    assert len(set(keys)) == 1000
    assert all(has_key_form(key) for key in keys)
    assert [is_test_key(key) for key in keys[:4]] == [False, True, False, True]
    assert {len(key) for key in keys} == {53}
    # Each of the 43 characters varies: none of the 32 bytes is left out.
    assert all(len({key[place] for key in keys}) > 1 for place in range(11, 53))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "key-k",
        "esim_live_",
        "esim_live_" + "0" * 42,
        "esim_live_" + "0" * 44,
        "esim_live_" + "0" * 42 + "-",
        "esim_live_" + "0" * 43 + "\n",
        "esim_prod_" + "0" * 43,
        "ESIM_LIVE_" + "0" * 43,
        "esim_live_" + "\u0660" * 43,  # digits, of another script
    ],
)
def test_no_other_text_is_looked_up(text: str) -> None:
    assert not has_key_form(text)


def test_the_prefix_shows_four_characters_of_the_key() -> None:
    key = new_key(test=False)
    assert prefix_of(key) == key[:14]
    assert hash_of(key) != hash_of(key.lower())


@pytest.mark.parametrize(
    ("expires", "revoked", "state"),
    [
        (None, None, "valid"),
        (timedelta(microseconds=1), None, "valid"),
        (timedelta(0), None, "expired"),
        (timedelta(days=1), timedelta(0), "revoked"),
        (timedelta(days=-2), timedelta(days=-1), "revoked"),
    ],
)
def test_when_a_key_is_in_force(expires: timedelta | None, revoked: timedelta | None, state: str) -> None:
    key = StoredKey(
        uuid7(),
        "esimka",
        frozenset(),
        None if expires is None else NOW + expires,
        None if revoked is None else NOW + revoked,
    )
    assert key.state(NOW) == state
