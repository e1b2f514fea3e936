"""The committed JSON Schema and example of each type of update, in `interfaces/updates/` of this service.

`python -m ordering.updates.schemas FOLDER` writes them (`make interfaces` does), and refuses a change that a receiver
of before could not read; such a change needs another type.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ordering.updates.bodies import BODIES
from ordering.updates.examples import EXAMPLES
from shared.contracts.compatibility import breaks


def documents() -> dict[str, dict[str, Any]]:
    """By file name: `order.paid.json` (the schema) and `order.paid.example.json`."""
    files: dict[str, dict[str, Any]] = {}
    for type_, model in BODIES.items():
        schema = model.model_json_schema(mode="serialization")
        files[f"{type_}.json"] = schema | {"$id": f"urn:esim:update:{type_}:1"}
        files[f"{type_}.example.json"] = dict(EXAMPLES[type_])
    return files


def text(document: Mapping[str, Any]) -> str:
    """As it is committed."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main(folder: Path) -> int:
    """Write the documents. Returns the exit code: 1 where a schema takes back what it promised."""
    folder.mkdir(parents=True, exist_ok=True)
    problems = []
    for name, document in documents().items():
        path = folder / name
        if path.exists() and not name.endswith(".example.json"):
            committed = json.loads(path.read_text(encoding="utf-8"))
            problems += [f"{name}: {problem}" for problem in breaks(committed, document)]
        if not problems:
            path.write_text(text(document), encoding="utf-8")
    if problems:
        print("\n".join(problems), file=sys.stderr)  # noqa: T201 - this is a command
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
