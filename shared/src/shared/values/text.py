"""Text of people and of outside systems, limited to what a database, a page and a mail header can hold.

`Line` and `Lines` are annotations (`Annotated[str, Line(200)]`): pydantic refuses a text that breaks the rule.
`cleaned` is for text of outside systems, where refusing would lose the fact that the text came with.

| character | people's | of outside systems |
|---|---|---|
| NUL, other C0 and C1 controls (Unicode Cc) | refused | removed; white space becomes a space |
| tab, line feed; other line ends, U+2028, U+2029 | refused; in `Lines` kept, and a line feed | a space; a line feed |
| lone surrogates (Cs), which UTF-8 cannot carry | refused | U+FFFD |
| embedding, override, isolate (U+202A-202E, U+2066-2069) | removed | removed |

Phones and chat programs put the last ones around numbers and names that are copied from them, so their sender does not
know of them; kept, they would turn the text around them over on an agent's page.
"""

import re
from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from shared.values.refusal import InvalidValueError

_DIRECTIONS = "\u202a-\u202e\u2066-\u2069"
_DIRECTION = re.compile(f"[{_DIRECTIONS}]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_IN_A_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_NOT_IN_LINES = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_LINE_ENDS = re.compile("\r\n?|\x85|\u2028|\u2029")
_WHITE = re.compile("[\t-\r\x1c-\x1f\x85\u2028\u2029 ]+")
#: All characters that any rule above concerns; most texts have none of them.
_SPECIAL = re.compile(f"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff{_DIRECTIONS}]")

CONTROL = "must not contain control characters"
SURROGATE = "must be text that UTF-8 can carry"


def one_line(text: str) -> str:
    """A line as it is stored: without white space around it. Raises InvalidValueError."""
    if _SPECIAL.search(text):
        text = _well_formed(text).strip()
        if _NOT_IN_A_LINE.search(text):
            raise InvalidValueError(CONTROL)
    return text.strip()


def many_lines(text: str) -> str:
    """Lines as they are stored, separated by line feeds. Raises InvalidValueError."""
    if _SPECIAL.search(text):
        text = _LINE_ENDS.sub("\n", _well_formed(text))
        if _NOT_IN_LINES.search(text):
            raise InvalidValueError(CONTROL)
    return text.strip()


def exact(text: str) -> str:
    """A line as it is, where a person can have typed it and UTF-8 can carry it. Raises InvalidValueError."""
    if _SURROGATE.search(text):
        raise InvalidValueError(SURROGATE)
    if _NOT_IN_A_LINE.search(text):
        raise InvalidValueError(CONTROL)
    return text


def cleaned(value: object, longest: int, *, lines: bool = False) -> str:
    """The part of a text from an outside system that can be stored, cut to `longest` characters; "" where it is none.

    Whole numbers count as text, because some systems write ids either way. Never raises.
    """
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**40:
        return str(value)[:longest]
    if not isinstance(value, str):
        return ""
    if not _SPECIAL.search(value):
        return value.strip()[:longest].rstrip()
    white, control, instead = (_LINE_ENDS, _NOT_IN_LINES, "\n") if lines else (_WHITE, _NOT_IN_A_LINE, " ")
    text = white.sub(instead, _SURROGATE.sub("\ufffd", _DIRECTION.sub("", value)))
    return control.sub("", text).strip()[:longest].rstrip()


def cleaned_tree(value: Any, longest: int) -> Any:
    """A JSON value of an outside system with each of its texts cleaned, the names of fields too.

    Raises RecursionError where it is nested more deeply than Python goes.
    """
    if isinstance(value, str):
        return cleaned(value, longest, lines=True)
    if isinstance(value, dict):
        return {cleaned(name, longest): cleaned_tree(item, longest) for name, item in value.items()}
    if isinstance(value, list):
        return [cleaned_tree(item, longest) for item in value]
    return value


def storable(text: str) -> bool:
    """Whether PostgreSQL can store it as text: no NUL, no lone surrogate."""
    return "\x00" not in text and not _SURROGATE.search(text)


def _well_formed(text: str) -> str:
    if _SURROGATE.search(text):
        raise InvalidValueError(SURROGATE)
    return _DIRECTION.sub("", text)


@dataclass(frozen=True, slots=True)
class _Text:
    """How long the text may be, in characters, counted without the white space around it."""

    longest: int
    shortest: int = 1

    def read(self, text: str) -> str:
        """The text as it is stored. Raises InvalidValueError."""
        raise NotImplementedError  # abstract: each kind of text has its own rule

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        bounds = core_schema.str_schema(min_length=self.shortest or None, max_length=self.longest)
        return core_schema.no_info_before_validator_function(self._if_text, bounds)

    def _if_text(self, value: object) -> object:
        return self.read(value) if isinstance(value, str) else value


class Line(_Text):
    """One line of a person's text: a name, a subject. `Annotated[str, Line(200)]`."""

    __slots__ = ()

    def read(self, text: str) -> str:
        """Without white space around it. Raises InvalidValueError."""
        return one_line(text)


class Exact(_Text):
    """One line that is kept as it came, white space too: a password. `Annotated[str, Exact(1000)]`."""

    __slots__ = ()

    def read(self, text: str) -> str:
        """The same text. Raises InvalidValueError."""
        return exact(text)


class Lines(_Text):
    """Text of several lines: a note, the body of a mail. `Annotated[str, Lines(4000)]`."""

    __slots__ = ()

    def read(self, text: str) -> str:
        """Lines are separated by line feeds. Raises InvalidValueError."""
        return many_lines(text)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """Text of an outside system, cleaned and cut, never refused. `Annotated[str, Cleaned(500)]`."""

    longest: int
    lines: bool = False

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._if_text, core_schema.str_schema())

    def _if_text(self, value: object) -> object:
        return cleaned(value, self.longest, lines=self.lines) if isinstance(value, str) else value
