"""The committed JSON Schema of every event, and whether a changed model can live beside the old one.

`python -m shared.contracts.schemas write` refuses a change that old readers or old writers could not survive; such a
change needs a new version of the event. `check` says whether the committed files are what the code says.
"""

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from shared.contracts.base import EVENTS, Event

FOLDER = Path(__file__).parent / "schemas"
Schema = dict[str, Any]


def schema_of(event_class: type[Event]) -> Schema:
    """The JSON Schema of an event's body."""
    return event_class.model_json_schema(mode="serialization") | {"$id": event_class.schema_id()}


def render(schema: Schema) -> str:
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def path_of(event_class: type[Event]) -> Path:
    return FOLDER / f"{event_class.ce_type()}.json"


def committed(event_class: type[Event]) -> Schema | None:
    """The committed schema, or None for a new event."""
    path = path_of(event_class)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def breaks(old: Schema, new: Schema) -> list[str]:
    """What in `new` an old reader (of new events) or an old writer (of old events) could not survive."""
    return _compare(old, new, old, new, "")


def _compare(old: Schema, new: Schema, old_root: Schema, new_root: Schema, where: str) -> list[str]:
    old, new = _follow(old, old_root), _follow(new, new_root)
    found: list[str] = []
    old_fields, new_fields = old.get("properties", {}), new.get("properties", {})
    old_required, new_required = set(old.get("required", ())), set(new.get("required", ()))
    for name, part in old_fields.items():
        at = f"{where}.{name}".strip(".")
        if name not in new_fields:
            found.append(f"{at}: removed, old readers need it")
        else:
            found += _compare(part, new_fields[name], old_root, new_root, at)
            if name in old_required and name not in new_required:
                found.append(f"{at}: no longer always there, old readers need it")
    found += [
        f"{where}.{name}".strip(".") + ": newly required, old writers do not send it"
        for name in sorted(new_required - set(old_fields))
    ]
    for word in ("type", "const", "enum", "format", "pattern", "items", "anyOf", "prefixItems"):
        if word == "items" and isinstance(old.get(word), dict) and isinstance(new.get(word), dict):
            found += _compare(old[word], new[word], old_root, new_root, f"{where}[]")
        elif word == "anyOf" and word in old and word in new:
            found += _alternatives(old[word], new[word], old_root, new_root, where)
        elif old.get(word) != new.get(word):
            found.append(f"{where or 'body'}: {word} was {old.get(word)!r}, is {new.get(word)!r}")
    return found


def _alternatives(old: list[Any], new: list[Any], old_root: Schema, new_root: Schema, where: str) -> list[str]:
    if len(old) != len(new):
        return [f"{where}: had {len(old)} alternatives, has {len(new)}"]
    found = []
    for one, other in zip(old, new, strict=True):
        found += _compare(one, other, old_root, new_root, where)
    return found


def _follow(schema: Schema, root: Schema) -> Schema:
    reference = schema.get("$ref")
    return root["$defs"][reference.rpartition("/")[2]] if reference else schema


def main(command: str) -> int:
    """Returns the exit code: 1 when something is incompatible or out of date."""
    import_module("shared.contracts")
    problems = []
    for event_class in EVENTS.values():
        old, new = committed(event_class), schema_of(event_class)
        if old is not None:
            problems += [f"{event_class.ce_type()}: {problem}" for problem in breaks(old, new)]
        if old != new and command == "check":
            problems.append(f"{event_class.ce_type()}: the committed schema is out of date; run `make schemas`")
    if problems:
        print("\n".join(problems), file=sys.stderr)  # noqa: T201 - this is a command
        return 1
    if command == "write":
        FOLDER.mkdir(exist_ok=True)
        for event_class in EVENTS.values():
            path_of(event_class).write_text(render(schema_of(event_class)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    if sys.argv[1:] not in (["write"], ["check"]):
        sys.exit("usage: python -m shared.contracts.schemas write|check")
    sys.exit(main(sys.argv[1]))
