"""Text: refused from people, cleaned from outside systems, and whatever is kept can be stored and shown."""

import json
import unicodedata
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from shared.values.refusal import InvalidValueError
from shared.values.text import Cleaned, Exact, Line, Lines, cleaned, cleaned_tree, many_lines, one_line, storable

NAME = TypeAdapter[str](Annotated[str, Line(20)])
NOTE = TypeAdapter[str](Annotated[str, Lines(20)])
ANY = st.text(st.characters(exclude_categories=()), max_size=60)


def is_plain(text: str, allowed: str = "") -> bool:
    """No control, surrogate or direction override is left."""
    return not any(
        unicodedata.category(letter) in {"Cc", "Cs", "Zl", "Zp"}
        or unicodedata.bidirectional(letter) in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
        for letter in text
        if letter not in allowed
    )


@pytest.mark.parametrize(
    "letter", ["\x00", "\x01", "\t", "\n", "\r", "\x1b", "\x7f", "\x85", "\x9f", "\u2028", "\u2029"]
)
def test_a_line_has_no_control_characters(letter: str) -> None:
    with pytest.raises(InvalidValueError, match="control"):
        one_line(f"a{letter}b")


@pytest.mark.parametrize("text", [" anna ", "пароль\u00a0\u3000", "a\u202eb", "x" * 20, ""])
def test_a_password_is_kept_as_it_came(text: str) -> None:
    assert TypeAdapter[str](Annotated[str, Exact(20, 0)]).validate_python(text) == text


@pytest.mark.parametrize("text", ["a\x00b", "a\tb", "a\x9fb", "a\ud800b", "x" * 21])
def test_what_no_form_can_send_is_no_password(text: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter[str](Annotated[str, Exact(20, 0)]).validate_python(text)


@pytest.mark.parametrize("letter", ["\x00", "\x08", "\x0b", "\x1b", "\x7f", "\x9f"])
def test_lines_have_no_control_characters_but_line_feed_and_tab(letter: str) -> None:
    with pytest.raises(InvalidValueError, match="control"):
        many_lines(f"a{letter}b")
    assert many_lines(" a\tb\r\nc\rd\u2028e ") == "a\tb\nc\nd\ne"


def test_directions_that_phones_put_around_copied_text_are_removed() -> None:
    assert one_line("\u202a+7 701 123 45 67\u202c") == "+7 701 123 45 67"
    assert many_lines("\u2068Алия\u2069\nк") == "Алия\nк"
    assert one_line("نور\u200f") == "نور\u200f"  # a mark of direction is part of names


@given(ANY)
def test_what_a_line_keeps_can_be_stored_and_read_again(text: str) -> None:
    try:
        line = one_line(text)
    except InvalidValueError as error:
        assert not text.strip() or text.strip() not in str(error)  # noqa: PT017 - most texts raise nothing
        return
    assert is_plain(line)
    assert storable(line)
    assert one_line(line) == line


@given(ANY)
def test_what_lines_keep_can_be_stored_and_read_again(text: str) -> None:
    try:
        lines = many_lines(text)
    except InvalidValueError:
        return
    assert is_plain(lines, "\n\t")
    assert storable(lines)
    assert many_lines(lines) == lines


@given(ANY, st.integers(1, 50), st.booleans())
def test_cleaning_never_fails_and_always_fits(text: str, longest: int, lines: bool) -> None:
    kept = cleaned(text, longest, lines=lines)
    assert len(kept) <= longest
    assert is_plain(kept, "\n\t" if lines else "")
    assert storable(kept)
    assert cleaned(kept, longest, lines=lines) == kept


@given(st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=40))
def test_cleaning_leaves_plain_text_as_it_is(text: str) -> None:
    assert cleaned(text, 40) == text


def test_cleaning_keeps_the_words() -> None:
    assert cleaned("no\x00 such\r\nprofile\t!", 100) == "no such profile !"
    assert cleaned("a\ud800b", 10) == "a\ufffdb"
    assert cleaned("a\r\nb\x07", 10, lines=True) == "a\nb"
    assert cleaned(4711, 10) == "4711"


@pytest.mark.parametrize("value", [None, True, 1.5, [], {}, 10**50])
def test_what_is_no_text_is_cleaned_to_nothing(value: object) -> None:
    assert cleaned(value, 10) == ""


@given(st.recursive(ANY | st.integers() | st.none(), lambda v: st.lists(v) | st.dictionaries(ANY, v), max_leaves=8))
def test_a_cleaned_answer_can_be_stored_as_json(value: object) -> None:
    text = json.dumps(cleaned_tree(value, 100), ensure_ascii=False)
    assert storable(text)
    assert "\\u0000" not in text


def test_a_cleaned_answer_is_the_same_where_it_is_plain() -> None:
    answer = {"Data": [{"Total": 1.5, "Text": "a\nb", "Flag": True, "None": None}]}
    assert cleaned_tree(answer, 100) == answer
    assert cleaned_tree({"a\x00": ["b\ud800"]}, 100) == {"a": ["b\ufffd"]}


@pytest.mark.parametrize(("adapter", "value"), [(NAME, "\ud800"), (NAME, "a\x00"), (NAME, " "), (NAME, "x" * 21)])
def test_pydantic_refuses(adapter: TypeAdapter[str], value: object) -> None:
    with pytest.raises(ValidationError):
        adapter.validate_python(value)


def test_pydantic_keeps_and_describes() -> None:
    assert NAME.validate_python("  Алия ") == "Алия"
    assert NOTE.validate_python("a\r\nb") == "a\nb"
    assert NAME.json_schema() == {"type": "string", "minLength": 1, "maxLength": 20}
    with pytest.raises(ValidationError):
        NAME.validate_python(5)
    assert TypeAdapter[str](Annotated[str, Cleaned(3)]).validate_python("a\x00bcd") == "abc"
