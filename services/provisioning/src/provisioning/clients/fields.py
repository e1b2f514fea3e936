"""Parses JSON that operators send: strict in the fields that decide, lenient in the others.

`read_object` parses a message. `Fields.get` reads one field with a function that returns None for a value that it
cannot parse. Such a field is unknown (None), and its name is added to `Unparsed`; the other fields are read all the
same. The caller counts these names (`operator_fields_not_understood_total`). The caller decides which fields are
required, and refuses the message where one of those is None.

Every text is cleaned here (NUL, control characters, lone surrogates, length), so that PostgreSQL can store it.
"""

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from shared.values import count as counts
from shared.values import eid as eids
from shared.values import iccid as iccids
from shared.values import moment as moments
from shared.values import opaque as opaques
from shared.values.text import cleaned

T = TypeVar("T")
Read = Callable[[object], T | None]
#: Names of fields that were present and not parsed, such as `feed.usedBytes`. They are our names: metric labels.
Unparsed = set[str]

#: More bytes than any plan has (1 PiB); a larger number is an error of its sender.
MOST_BYTES = 2**50
#: Epoch times above this are milliseconds (as seconds it would be the year 5138).
_MILLISECONDS = 10**11
_LONGEST_NUMBER = 30
_LONGEST_WORD = 100
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_BETWEEN_WORDS = re.compile(r"[\s_-]")
_DATE_ONLY = 10


class Fields:
    """One JSON object. `name` is the prefix of its fields' names in `Unparsed`."""

    def __init__(self, values: Mapping[str, Any], name: str, unparsed: Unparsed) -> None:
        self._values = values
        self._name = name
        self._odd = unparsed

    def has(self, field: str) -> bool:
        """Whether the field has a value."""
        return self._values.get(field) not in (None, "")

    def get(self, field: str, read: Read[T], *other_spellings: str) -> T | None:
        """The value of a field; None where it is absent, null, empty, or cannot be parsed (then it is noted)."""
        spelt = next((one for one in (field, *other_spellings) if self.has(one)), None)
        if spelt is None:
            return None
        value = read(self._values[spelt])
        if value is None:
            self.note(field)
        return value

    def child(self, field: str, value_of: str | None = None) -> "Fields":
        """A nested object; empty where there is none. PHP writes an empty object as `[]`.

        `value_of`: a text or number in place of the object is read as this field of it.
        """
        value = self._values.get(field)
        if value_of is not None and isinstance(value, str | int) and not isinstance(value, bool):
            value = {value_of: value}
        if value not in (None, "", []) and not isinstance(value, dict):
            self.note(field)
        return Fields(value if isinstance(value, dict) else {}, f"{self._name}.{field}", self._odd)

    def items(self, field: str) -> Sequence["Fields | None"]:
        """A nested list of objects: None for each item that is no object; empty where there is no list."""
        value = self._values.get(field)
        if value not in (None, "") and not isinstance(value, list):
            self.note(field)
        name = f"{self._name}.{field}"
        listed = value if isinstance(value, list) else []
        return [Fields(one, name, self._odd) if isinstance(one, dict) else None for one in listed]

    def is_list(self, field: str) -> bool:
        """Whether there is a list, an empty one too."""
        return isinstance(self._values.get(field), list)

    def is_object(self, field: str) -> bool:
        """Whether there is a nested object."""
        return isinstance(self._values.get(field), dict)

    def note(self, field: str) -> None:
        """Note that a field could not be parsed."""
        self._odd.add(f"{self._name}.{field}")


def read_object(body: bytes, name: str, unparsed: Unparsed) -> Fields | None:
    """The JSON object of a message; None where there is none. Never raises.

    Bytes that are no UTF-8, numbers of any size and lone surrogates affect their own field only, not the message.
    """
    try:
        value = json.loads(body.decode("utf-8-sig", "replace"), parse_int=_integer, parse_constant=lambda _: math.nan)
    except (ValueError, RecursionError):
        return None
    return Fields(value, name, unparsed) if isinstance(value, dict) else None


def text(longest: int) -> Read[str]:
    """A text in one line, cleaned and cut; a whole number is read as text."""
    return lambda value: cleaned(value, longest) or None


def opaque(longest: int) -> Read[str]:
    """An id or a word of a protocol: printable ASCII; a whole number is read as text."""
    return lambda value: opaques.opaque(value, longest)


def count(most: int = counts.LARGEST) -> Read[int]:
    """A whole number from 0, as a number or as digits."""
    return lambda value: counts.count(value, most)


def number(value: object) -> int | float | None:
    """A finite number, as a number or as a text that holds one."""
    if isinstance(value, str):
        plain = value.strip()
        if not _NUMBER.fullmatch(plain) or not plain.isascii():
            return None
        return float(plain) if "." in plain else int(plain)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if math.isfinite(value) else None


def boolean(value: object) -> bool | None:
    """True or false, as such, as 1 or 0, or as words."""
    if isinstance(value, bool):
        return value
    return {"1": True, "0": False, "true": True, "false": False}.get(str(value).strip().lower())


def moment(value: object) -> datetime | None:
    """ISO 8601 with its zone, or seconds or milliseconds since 1970; in UTC."""
    epoch = number(value)
    return moments.moment(value) if epoch is None else _of_epoch(epoch)


def utc_moment(value: object) -> datetime | None:
    """As `moment`, for senders that leave the zone out and mean UTC."""
    with_zone = moment(value)
    if with_zone is not None or not isinstance(value, str) or len(value.strip()) <= _DATE_ONLY:
        return with_zone
    try:
        local = datetime.fromisoformat(value.strip())
        return moments.in_bounds(local.replace(tzinfo=UTC)) if local.tzinfo is None else None
    except ValueError:
        return None


def iccid(value: object) -> str | None:
    """An ICCID as printed. The sender may append F, or write it as a number."""
    return iccids.read(str(value) if isinstance(value, int) and not isinstance(value, bool) else value)


def eid(value: object) -> str | None:
    """An EID whose checksum is right."""
    number_ = eids.read(value)
    return number_ if number_ is not None and eids.is_valid(number_) else None


def word(value: object) -> str | None:
    """A vendor's word without its spelling: `Executed-Success` and `executed_success` are equal."""
    return _BETWEEN_WORDS.sub("", cleaned(value, _LONGEST_WORD)).lower() or None


def _of_epoch(epoch: float) -> datetime | None:
    seconds = epoch / 1000 if abs(epoch) >= _MILLISECONDS else epoch
    try:
        return moments.in_bounds(datetime.fromtimestamp(seconds, UTC))
    except (OverflowError, OSError, ValueError):
        return None


def _integer(digits: str) -> int | float:
    """Python refuses to read integers of thousands of digits; no field of ours has more than thirty."""
    return int(digits) if len(digits) <= _LONGEST_NUMBER else math.inf
