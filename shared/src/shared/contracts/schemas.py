"""The committed JSON Schema of every event, and the check whether a changed model is compatible with it.

`python -m shared.contracts.schemas write` refuses a change that old readers or old writers could not survive; such a
change needs a new version of the event. `check` says whether the committed files are what the code says.
"""

import json
import sys
from importlib import import_module
from pathlib import Path

from shared.contracts.base import EVENTS, Event
from shared.contracts.compatibility import Schema, breaks

FOLDER = Path(__file__).parent / "schemas"


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
