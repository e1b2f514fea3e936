"""Checks whether a changed JSON Schema is compatible with the old one, for readers and writers that stay unchanged.

What is written now has old readers (events, answers), what was written then is read now (events, requests). A reader
ignores fields that it does not know, unless its schema forbids them (`additionalProperties: false`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Schema = dict[str, Any]
#: The place in the value (`buyer.phones[].number`, empty for all of it), and what is wrong with it.
Difference = tuple[str, str]
#: The schema of the reader; the other one is the writer's.
Reader = Literal["old", "new"]
_Seen = frozenset[tuple[str, str]]
#: Keywords of a reader that the writer must have in the same form.
_SAME = ("format", "pattern", "multipleOf", "uniqueItems", "not", "allOf")
_UPPER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_LOWER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")


def breaks(old: Schema, new: Schema) -> list[str]:
    """What in `new` breaks an old reader (of new events) or an old writer (of old events)."""
    return [f"{place or 'body'}: {problem}" for place, problem in differences(old, new)]


def differences(
    old: Schema,
    new: Schema,
    readers: Sequence[Reader] = ("old", "new"),
    *,
    place: str = "",
    roots: tuple[Schema, Schema] | None = None,
) -> list[Difference]:
    """What breaks these readers, each thing once. References point into `roots`, the schemas themselves
    where none are given; `place` is what the schemas describe.
    """
    old_root, new_root = roots or (old, new)
    comparisons = (_Comparison(old_root, new_root, reader).of(old, new, place, frozenset()) for reader in readers)
    return list(dict.fromkeys(difference for comparison in comparisons for difference in comparison))


@dataclass(frozen=True)
class _Comparison:
    old_root: Schema
    new_root: Schema
    reader: Reader

    def of(self, old: Schema, new: Schema, place: str, seen: _Seen) -> Iterator[Difference]:
        """Every alternative that is written must be readable; reports the difference to the most similar one."""
        if "$ref" in old and "$ref" in new:
            pair = (old["$ref"], new["$ref"])
            if pair in seen:  # a schema that contains itself
                return
            seen |= {pair}
        written, read = self._sides(list(_alternatives(old, self.old_root)), list(_alternatives(new, self.new_root)))
        for alternative in written:
            tries = [(other, list(self._one(*self._sides(alternative, other), place, seen))) for other in read]
            yield from min(
                tries, key=lambda attempt: (attempt[0].get("type") != alternative.get("type"), len(attempt[1]))
            )[1]

    def _sides(self, old: Any, new: Any) -> tuple[Any, Any]:
        """(old, new) as (written, read), and the reverse."""
        return (new, old) if self.reader == "old" else (old, new)

    def _one(self, old: Schema, new: Schema, place: str, seen: _Seen) -> Iterator[Difference]:
        written, read = self._sides(old, new)
        yield from self._fields(old, new, place, seen)
        for word in _narrower(written, read):
            yield place, f"{word} was {old.get(word)!r}, is {new.get(word)!r}"
        for word, at in (("items", f"{place}[]"), ("propertyNames", f"{place}{{}}")):
            if word in written and word in read:
                yield from self.of(old[word], new[word], at, seen)
            elif word in read:
                yield place, f"{word} was {old.get(word)!r}, is {new.get(word)!r}"
        if len(old.get("prefixItems", ())) != len(new.get("prefixItems", ())):
            yield place, "is of another length"
        for number, (one, other) in enumerate(
            zip(old.get("prefixItems", ()), new.get("prefixItems", ()), strict=False)
        ):
            yield from self.of(one, other, f"{place}[{number}]", seen)
        yield from self._other_fields(old, new, place, seen)

    def _fields(self, old: Schema, new: Schema, place: str, seen: _Seen) -> Iterator[Difference]:
        old_fields, new_fields = old.get("properties", {}), new.get("properties", {})
        old_required, new_required = set(old.get("required", ())), set(new.get("required", ()))
        for name, part in old_fields.items():
            at = _inside(place, name)
            if name not in new_fields:
                yield at, "removed, old readers need it" if self.reader == "old" else "removed, old writers send it"
                continue
            yield from self.of(part, new_fields[name], at, seen)
            if self.reader == "old" and name in old_required - new_required:
                yield at, "no longer always there, old readers need it"
            if self.reader == "new" and name in new_required - old_required:
                yield at, "now required, old writers may leave it out"
        if self.reader == "new":
            for name in sorted(new_required - set(old_fields)):
                yield _inside(place, name), "newly required, old writers do not send it"

    def _other_fields(self, old: Schema, new: Schema, place: str, seen: _Seen) -> Iterator[Difference]:
        """Fields without a name of their own in the schema."""
        old_rule, new_rule = old.get("additionalProperties", True), new.get("additionalProperties", True)
        written, read = self._sides(old_rule, new_rule)
        if isinstance(written, dict) and isinstance(read, dict):
            yield from self.of(old_rule, new_rule, _inside(place, "*"), seen)
        elif read not in (True, {}) and written is not False:
            yield place, f"additionalProperties was {old_rule!r}, is {new_rule!r}"
        if read is False and self.reader == "old":
            for name in sorted(set(new.get("properties", ())) - set(old.get("properties", ()))):
                yield _inside(place, name), "new, old readers refuse what they do not know"


def _narrower(written: Schema, read: Schema) -> Iterator[str]:
    """The keywords by which the reader accepts less than is written."""
    if (types := _types(read)) and (not (written_types := _types(written)) or written_types - types - _included(types)):
        yield "type"
    values = _values(read)
    if values is not None and (
        (written_values := _values(written)) is None or any(value not in values for value in written_values)
    ):
        yield "const" if "const" in read else "enum"
    yield from (keyword for keyword in _SAME if read.get(keyword) and written.get(keyword) != read[keyword])
    yield from (
        keyword
        for keyword in _UPPER
        if keyword in read and not written.get(keyword, read[keyword] + 1) <= read[keyword]
    )
    yield from (
        keyword
        for keyword in _LOWER
        if keyword in read and not written.get(keyword, read[keyword] - 1) >= read[keyword]
    )


def _types(schema: Schema) -> set[str]:
    """Empty for a schema that takes any."""
    types = schema.get("type", ())
    return {types} if isinstance(types, str) else set(types)


def _included(types: set[str]) -> set[str]:
    return {"integer"} if "number" in types else set()


def _values(schema: Schema) -> list[Any] | None:
    """The closed set of values, or None."""
    if "const" in schema:
        return [schema["const"]]
    values: list[Any] | None = schema.get("enum")
    return values


def _alternatives(schema: Schema, root: Schema) -> Iterator[Schema]:
    """The alternatives of a schema, without references at their top."""
    while "$ref" in schema:
        schema = _follow(schema["$ref"], root)
    choices = schema.get("anyOf") or schema.get("oneOf")
    if not choices:
        yield schema
        return
    around = {keyword: value for keyword, value in schema.items() if keyword not in ("anyOf", "oneOf")}
    for choice in choices:
        for alternative in _alternatives(choice, root):
            yield around | alternative


def _follow(reference: str, root: Schema) -> Schema:
    """The value at a JSON Pointer (RFC 6901) in this document."""
    part: Mapping[str, Any] = root
    for step in reference.removeprefix("#/").split("/"):
        part = part[step.replace("~1", "/").replace("~0", "~")]
    return dict(part)


def _inside(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
