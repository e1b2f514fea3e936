"""Values that a JSON Schema allows, as a Hypothesis strategy: the part of JSON Schema that pydantic writes for us."""

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from hypothesis import strategies as st

Schema = Mapping[str, Any]
_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=12)
_FORMATS: dict[str, st.SearchStrategy[str]] = {
    "uuid": st.uuids().map(str),
    "date": st.dates().map(lambda day: day.isoformat()),
    "date-time": st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.isoformat()),
}
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | _TEXT, lambda inner: st.lists(inner, max_size=2), max_leaves=3
)


def values(schema: Schema, root: Schema) -> st.SearchStrategy[Any]:
    """What `schema` allows; `root` is the document that its references point into."""
    if "$ref" in schema:
        found: Any = root
        for word in schema["$ref"].removeprefix("#/").split("/"):
            found = found[word]
        return values(found, root)
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of(*(values(one, root) for one in schema["anyOf"]))
    return _of_type(schema, root)


def _of_type(schema: Schema, root: Schema) -> st.SearchStrategy[Any]:
    kind = schema.get("type")
    if kind == "object":
        return _objects(schema, root)
    if kind == "array":
        most = schema.get("maxItems", schema.get("minItems", 0) + 2)
        items = values(schema.get("items", {}), root)
        unique = repr if schema.get("uniqueItems") else None
        return st.lists(items, min_size=schema.get("minItems", 0), max_size=min(most, 3), unique_by=unique)
    if kind == "string":
        return _strings(schema)
    simple: dict[Any, st.SearchStrategy[Any]] = {
        "integer": st.integers(_least(schema), min(schema.get("maximum", 2**53), 2**53)),
        "number": st.floats(_least(schema), schema.get("maximum", 1e9), allow_nan=False),
        "boolean": st.booleans(),
        "null": st.none(),
    }
    return simple.get(kind, _ANYTHING)


def _least(schema: Schema) -> int:
    return int(schema["exclusiveMinimum"]) + 1 if "exclusiveMinimum" in schema else int(schema.get("minimum", 0))


def _strings(schema: Schema) -> st.SearchStrategy[str]:
    least, most = schema.get("minLength", 0), schema.get("maxLength", 60)
    if "pattern" in schema:
        pattern: str = schema["pattern"]
        return st.from_regex(pattern, fullmatch=True).filter(lambda text: least <= len(text) <= most)
    if schema.get("format") in _FORMATS:
        return _FORMATS[schema["format"]]
    # Words rather than any characters: many a field strips white space before it counts.
    return st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=least, max_size=min(most, least + 12))


def _objects(schema: Schema, root: Schema) -> st.SearchStrategy[dict[str, Any]]:
    parts = schema.get("properties", {})
    required = set(schema.get("required", ()))
    if not parts and schema.get("additionalProperties"):
        return st.dictionaries(_TEXT, _ANYTHING, max_size=2)
    return st.fixed_dictionaries(
        {name: values(part, root) for name, part in parts.items() if name in required},
        optional={name: values(part, root) for name, part in parts.items() if name not in required},
    )
