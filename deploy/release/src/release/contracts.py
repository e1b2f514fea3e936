"""Contracts of now against those of a release: its schemas, and its very code as reader and writer of events."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy
from pydantic import ValidationError

from release.history import python_path
from release.samples import values
from shared.contracts import EVENTS
from shared.contracts.base import Event
from shared.contracts.compatibility import breaks
from shared.contracts.examples import EXAMPLES
from shared.contracts.schemas import schema_of

Schema = dict[str, Any]
SAMPLES = 12
#: Words of a schema that promise nothing.
_REMARKS = frozenset({"$id", "title", "description", "examples"})
#: Run with the released code: reads events as its consumers do, and writes what it understood.
_READER = """
import json, sys
import shared.contracts
from shared.messaging.cloudevents import UnreadableError, read_body
for line in sys.stdin:
    asked = json.loads(line)
    try:
        event = read_body(asked["topic"], asked["type"], asked["body"].encode())
    except UnreadableError as error:
        print(json.dumps({"refused": str(error)}))
    else:
        print(json.dumps({"understood": event.model_dump_json()}))
"""


def released_schemas(tree: Path) -> dict[str, Schema]:
    """The committed schemas of a released tree, by CloudEvents type (which ends with the major version)."""
    folder = tree / "shared" / "src" / "shared" / "contracts" / "schemas"
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}


def changes(released: Mapping[str, Schema], now: Mapping[str, Schema]) -> Iterator[str]:
    """What old readers or old writers could not survive, and additions that no minor version tells of."""
    for kind, old in released.items():
        new = now.get(kind)
        if new is None:
            yield f"{kind}: gone; a new major version stands beside the old one until nobody runs the latter"
            continue
        yield from (f"{kind}: {problem}" for problem in breaks(old, new))
        if _promises(old) != _promises(new) and _minor(new) <= _minor(old):
            yield f"{kind}: changed since the release; say so with `minor={_minor(old) + 1}` where the class is made"


def of_now() -> dict[str, Schema]:
    """The schemas that the code has, by CloudEvents type."""
    return {one.ce_type(): json.loads(json.dumps(schema_of(one))) for one in EVENTS.values()}


def misunderstandings(tree: Path) -> Iterator[str]:
    """What the released code makes of events that are written now, and the code of now of events that it writes."""
    schemas = released_schemas(tree)
    known = [one for one in EVENTS.values() if one.ce_type() in schemas]
    bodies = [(one, body) for one in known for body in _written_now(one)]
    for (one, body), answer in zip(bodies, _released_reader(tree, bodies), strict=True):
        if "refused" in answer:
            yield f"{one.ce_type()}: the release refuses what is written now: {answer['refused']}"
        else:
            yield from _differences(one, "the release reads", json.loads(body), json.loads(answer["understood"]))
    proposals = [
        (one, json.dumps(value))
        for one in known
        for value in _some(values(schemas[one.ce_type()], schemas[one.ce_type()]))
    ]
    for (one, _), answer in zip(proposals, _released_reader(tree, proposals), strict=True):
        if "understood" in answer:  # whatever its own model refuses it does not write
            try:
                read = one.model_validate_json(answer["understood"])
            except ValidationError as error:
                yield f"{one.ce_type()}: refuses what the release writes: {error.errors(include_input=False)}"
            else:
                written = json.loads(answer["understood"])
                yield from _differences(one, "is read of the release", written, json.loads(read.model_dump_json()))


def _written_now(event_class: type[Event]) -> list[str]:
    schema = schema_of(event_class)
    written = [EXAMPLES[event_class.topic].model_dump_json()] if event_class.topic in EXAMPLES else []
    for value in _some(values(schema, schema)):
        try:
            written.append(event_class.model_validate_json(json.dumps(value)).model_dump_json())
        except ValidationError:
            continue  # a rule beyond the schema
    return written


def _released_reader(tree: Path, bodies: Sequence[tuple[type[Event], str]]) -> list[dict[str, str]]:
    lines = (json.dumps({"topic": one.topic, "type": one.ce_type(), "body": body}) for one, body in bodies)
    ran = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", _READER],
        input="\n".join(lines),
        env=os.environ | {"PYTHONPATH": python_path(tree)},
        cwd=tree,
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in ran.stdout.splitlines()]


def _differences(event: type[Event], how: str, written: Any, read: Any) -> Iterator[str]:
    """Fields that both sides know and that do not mean the same to them."""
    if isinstance(written, dict) and isinstance(read, dict):
        for name in written.keys() & read.keys():
            yield from _differences(event, f"{how} {name}", written[name], read[name])
    elif isinstance(written, list) and isinstance(read, list) and len(written) == len(read):
        for one, other in zip(written, read, strict=True):
            yield from _differences(event, how, one, other)
    elif written != read:
        yield f"{event.ce_type()}: {how} as {read!r}, written as {written!r}"


def _some(strategy: SearchStrategy[Any]) -> list[Any]:
    """So many values, the same in every run."""
    found: list[Any] = []

    @settings(
        max_examples=SAMPLES,
        database=None,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value: Any) -> None:
        found.append(value)

    collect()
    return found


def _promises(schema: Any) -> Any:
    """A schema without its remarks; a field that is called like one of them stays."""
    if isinstance(schema, list):
        return [_promises(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: {field: _promises(one) for field, one in part.items()}
        if name in ("properties", "$defs")
        else _promises(part)
        for name, part in schema.items()
        if name not in _REMARKS
    }


def _minor(schema: Schema) -> int:
    """Of `urn:esim:event:<topic>:<major>.<minor>`; 0 of the first releases, whose `$id` was the type alone."""
    _, dot, minor = schema["$id"].rpartition(":")[2].partition(".")
    return int(minor) if dot and minor.isdigit() else 0
