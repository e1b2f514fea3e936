"""Ids and links chosen by outside systems, stored unchanged: ids in printable ASCII, links without controls."""

import re
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from shared.values.refusal import InvalidValueError

_PRINTABLE = re.compile(r"[\x20-\x7e]*")
_URL = re.compile("https?://[^\\s\x00-\x20\x7f-\xa0\ud800-\udfff]+")
#: The longest link that browsers and mail programs accept.
LONGEST_URL = 2000
NOTHING = "\ufffd"


@dataclass(frozen=True, slots=True)
class Opaque:
    """An id without a meaning here: 1 to `longest` printable ASCII characters. `Annotated[str, Opaque(64)]`."""

    longest: int
    shortest: int = 1

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        bounds = core_schema.str_schema(min_length=self.shortest, max_length=self.longest)
        return core_schema.no_info_before_validator_function(_printable, bounds)


@dataclass(frozen=True, slots=True)
class Reference:
    """A name of one of our objects in a path: an id, a number, a slug.

    Whoever looks for it answers 404 where nothing has the name. So a text that can be no name is not refused here: it
    is read as NOTHING, which is the name of nothing.
    """

    longest: int = 200

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._read, core_schema.str_schema())

    def _read(self, value: object) -> object:
        if isinstance(value, str) and (len(value) > self.longest or not value.isprintable()):
            return NOTHING
        return value


#: A parameter of a path.
Named = Annotated[str, Reference()]
#: A secret or signature that a caller shows, and that is compared with ours; what can be none equals none.
Credential = Annotated[str, Reference(4096)]


@dataclass(frozen=True, slots=True)
class Url:
    """An address of the web, absolute. `or_empty`: "" stands for none. `Annotated[str, Url()]`."""

    or_empty: bool = False

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        bounds = core_schema.str_schema(max_length=LONGEST_URL)
        return core_schema.no_info_after_validator_function(self._read, bounds)

    def _read(self, text: str) -> str:
        if not (self.or_empty and not text) and url(text) is None:
            raise InvalidValueError("must be an address beginning with https:// or http://")
        return text


def opaque(value: object, longest: int) -> str | None:
    """An id as an outside system wrote it, a whole number too; None where it is none."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**40:
        value = str(value)
    if not isinstance(value, str) or not _PRINTABLE.fullmatch(value):
        return None
    text = value.strip()
    return text if 0 < len(text) <= longest else None


def url(value: object) -> str | None:
    """A link as an outside system wrote it; None where it is none."""
    if not isinstance(value, str) or len(value) > LONGEST_URL or not _URL.fullmatch(value):
        return None
    return value


def _printable(value: object) -> object:
    if isinstance(value, str) and not _PRINTABLE.fullmatch(value):
        raise InvalidValueError("must be printable ASCII")
    return value
