"""HTTP of now against that of a service's last release: whoever called the release goes on working.

Both are looked at as OpenAPI documents: what old callers send is read now, what is answered now is read by old callers.
A break that is meant, or a change that only looks like one, is named with its reason in the service's `release.toml`,
which the next release writes anew, without it:

    [breaks]
    "GET /orders/{reference} 200.trace_url" = "read by nobody since the storefronts' 2.1, the oldest that runs"
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from local_stack.paths import WORK_TREE
from release.asking import operations
from release.history import python_path, record
from release.interfaces import path_of
from shared.contracts.compatibility import Reader, differences

Document = dict[str, Any]
#: What breaks (`POST /orders body.buyer.phone`), and how.
Break = tuple[str, str]
_PLACEHOLDER = re.compile(r"\{([^}]*)\}")


def of_now(service: str, root: Path = WORK_TREE) -> Document:
    """The OpenAPI document of the code in that tree, as it is committed (tested to be what the code says)."""
    document: Document = json.loads(path_of(service, "openapi", root).read_text(encoding="utf-8"))
    return document


def as_released(service: str, tree: Path, now: Document) -> Document:
    """The document of a released tree; made by its own code where it has none, as 1.0.1. Raises CalledProcessError.

    Such code does not say whose credentials an operation needs, but whether: then they are taken to be those of `now`.
    """
    if path_of(service, "openapi", tree).exists():
        return of_now(service, tree)
    answer = json.loads(_described(service, tree))
    document: Document = answer["openapi"]
    needed = {name: one.get("security", []) for name, one in operations(now)}
    schemes = now["components"]["securitySchemes"].values()
    credentials = {"authorization", *(one["name"].lower() for one in schemes if "name" in one)}
    for name, operation in operations(document):
        shown = [one for one in operation.get("parameters", []) if one["name"].lower() in credentials]
        operation["parameters"] = [one for one in operation.get("parameters", []) if one not in shown]
        operation["security"] = needed.get(name, []) if shown or name in answer["guarded"] else []
        # FastAPI states its own refusals here, which no service gives.
        operation["responses"] = {
            key: declared for key, declared in operation["responses"].items() if key.startswith("2")
        }
    return document


@cache
def _described(service: str, tree: Path) -> str:
    """What the code of a released tree, which never changes, says of itself, as JSON: a process and 3 s of CPU."""
    ran = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "release.asking", service],
        env=os.environ | {"PYTHONPATH": python_path(tree, service)},
        cwd=tree,
        check=True,
        capture_output=True,
        text=True,
    )
    return ran.stdout.splitlines()[-1]  # logs come before


def broken(service: str, tree: Path, root: Path = WORK_TREE) -> list[Break]:
    """What a caller of that released tree could not live with."""
    now = of_now(service, root)
    return list(changes(as_released(service, tree, now), now))


def intended(service: str, root: Path = WORK_TREE) -> dict[str, str]:
    """What may break all the same, and why."""
    found: dict[str, str] = tomllib.loads(record(service, root).read_text(encoding="utf-8")).get("breaks", {})
    return found


def changes(old: Document, new: Document) -> Iterator[Break]:
    """What callers of `old` could not live with in `new`. How a part of the path is called is nobody's business."""
    there = {_PLACEHOLDER.sub("{}", name): (name, operation) for name, operation in operations(new)}
    for name, operation in operations(old):
        called, now = there.get(_PLACEHOLDER.sub("{}", name), (None, {}))
        if called is None:
            yield name, "gone"
            continue
        both = (old, new)
        yield from ((name + what, problem) for what, problem in _credentials(operation, now, both))
        parameters = _parameters(name, operation), _parameters(called, now)
        yield from ((name + what, problem) for what, problem in _sent(*parameters, both))
        yield from ((name + what, problem) for what, problem in _body(operation, now, both))
        yield from ((name + what, problem) for what, problem in _answers(operation, now, both))


_Both = tuple[Document, Document]


def _credentials(old: Document, new: Document, both: _Both) -> Iterator[Break]:
    """Each requirement is one way to be let in (OpenAPI 3.1 section 4.8.30); whoever knew one still knows one."""
    ways = _ways(new, both[1])
    for known in _ways(old, both[0]):
        if not any(way <= known for way in ways):
            yield " credentials", f"{_named(known)} was enough, now it takes {' or '.join(map(_named, ways))}"


def _ways(operation: Document, document: Document) -> list[set[str]]:
    """The schemes of each; an empty one where nothing has to be shown. Our documents say it for each operation."""
    declared: list[Document] = operation.get("security", document.get("security")) or []
    return [set(one) for one in declared] or [set()]


def _named(way: set[str]) -> str:
    return " and ".join(sorted(way)) or "nothing"


def _parameters(name: str, operation: Document) -> dict[str, Document]:
    """By where they stand and what they are called, those of the path by their number."""
    places = _PLACEHOLDER.findall(name)
    found = {}
    for one in operation.get("parameters", ()):
        called = one["name"].lower() if one["in"] == "header" else one["name"]
        found[f"{one['in']} {places.index(called) + 1 if one['in'] == 'path' else called}"] = one
    return found


def _sent(old: Mapping[str, Document], new: Mapping[str, Document], both: _Both) -> Iterator[Break]:
    for name, one in old.items():
        if name not in new:
            yield f" {name}", "gone: what old callers say there is not heard"
            continue
        if new[name].get("required") and not one.get("required"):
            yield f" {name}", "now required"
        yield from _schemas(one, new[name], "new", name, both)
    yield from ((f" {name}", "newly required") for name in new if name not in old and new[name].get("required"))


def _body(old: Document, new: Document, both: _Both) -> Iterator[Break]:
    before, now = old.get("requestBody"), new.get("requestBody")
    if now and now.get("required") and not (before and before.get("required")):
        yield " body", "now required"
    if before and not now:
        yield " body", "gone: what old callers send is not read"
    if before and now:
        yield from _contents(before, now, "new", "body", both)


def _answers(old: Document, new: Document, both: _Both) -> Iterator[Break]:
    for status, answer in old["responses"].items():
        if status in new["responses"]:
            yield from _contents(answer, new["responses"][status], "old", status, both)
        elif status.startswith("2"):
            yield f" {status}", "gone: old callers count on it"


def _contents(old: Document, new: Document, reader: Reader, place: str, both: _Both) -> Iterator[Break]:
    contents = new.get("content", {})
    for kind, media in old.get("content", {}).items():
        if kind in contents:
            yield from _schemas(media, contents[kind], reader, place, both)
        else:
            yield f" {place}", f"is no {kind} any more"


def _schemas(old: Document, new: Document, reader: Reader, place: str, both: _Both) -> Iterator[Break]:
    found = differences(old.get("schema", {}), new.get("schema", {}), [reader], place=place, roots=both)
    yield from ((f" {at}", problem) for at, problem in found)
