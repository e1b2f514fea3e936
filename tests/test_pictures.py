"""The Mermaid pictures of the documents can be drawn: fences are closed, and each line is of the part that we use.

Mermaid itself needs a browser. What is allowed here is less than Mermaid reads, so whatever passes can be drawn; for
another kind of picture or arrow add its rule: https://mermaid.js.org/intro/syntax-reference.html.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: Words that Mermaid reads as its own where a node's name could stand.
RESERVED = {
    "end",
    "graph",
    "flowchart",
    "subgraph",
    "class",
    "classDef",
    "click",
    "style",
    "linkStyle",
    "default",
    "o",
    "x",
}

_WORDS = r"""[^\[\](){}<>|";]+"""
_TEXT = rf"""(?:"[^"]*"|{_WORDS})"""
_SHAPE = rf"""(?:\[{_TEXT}\]|\{{{_TEXT}\}}|\(\[{_TEXT}\]\))"""
_NODE = rf"([A-Za-z]\w*){_SHAPE}?"
_NODES = rf"{_NODE}(?: & {_NODE})*"
_ARROW = rf"""(?:<?-->(?:\|{_TEXT}\|)?|-- {_TEXT} -->)"""
FLOW = re.compile(rf"{_NODES}(?: {_ARROW} {_NODES})+")
PARTICIPANT = re.compile(r"participant (\w+)(?: as [^;:]+)?")
MESSAGE = re.compile(r"(\w+)--?>>(\w+): [^;]+")
NOTE = re.compile(r"Note over (\w+)(?:,(\w+))?: [^;]+")
STATE = re.compile(r"(?:\[\*\]|\w+) --> (?:\[\*\]|\w+)(?:: [^;:]+)?")


def faults(picture: str) -> list[str]:
    """The lines that cannot be drawn."""
    head, *rest = [line.strip() for line in picture.splitlines() if line.strip()]
    if re.fullmatch("flowchart (LR|TD|TB)", head):
        return [line for line in rest if not FLOW.fullmatch(line) or RESERVED & set(_names(line))]
    if head == "stateDiagram-v2":
        return [line for line in rest if not STATE.fullmatch(line)]
    if head == "sequenceDiagram":
        declared = {match[1] for line in rest if (match := PARTICIPANT.fullmatch(line))}
        return [line for line in rest if not PARTICIPANT.fullmatch(line) and not _between(line, declared)]
    return [head]


def _names(line: str) -> Iterator[str]:
    plain = re.sub(rf"{_SHAPE}|\|{_TEXT}\||-- {_TEXT} -->", " ", line)
    return (match[0] for match in re.finditer(r"\w+", plain))


def _between(line: str, declared: set[str]) -> bool:
    match = MESSAGE.fullmatch(line) or NOTE.fullmatch(line)
    return match is not None and {name for name in match.groups() if name} <= declared


def pages() -> dict[str, str]:
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607 - git of whoever runs the tests
    return {name: (ROOT / name).read_text() for name in listed.stdout.split()}


def test_every_picture_can_be_drawn() -> None:
    found = {}
    for name, text in pages().items():
        assert len(re.findall(r"^ *```", text, re.MULTILINE)) % 2 == 0, f"{name}: a fence is not closed"
        for number, picture in enumerate(re.findall(r"```mermaid\n(.*?)```", text, re.DOTALL), 1):
            found[f"{name}, picture {number}"] = faults(picture)
    assert len(found) > 15
    assert {place: lines for place, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "picture",
    [
        "flowchart LR\n  a --> end[the end]",
        "flowchart LR\n  a[call (twice)] --> b",
        "flowchart LR\n  a[open --> b",
        "flowchart LR\n  a -> b",
        "flowchart LR\n  a -->|no end b",
        "graph of a kind\n  a --> b",
        "sequenceDiagram\n  participant A as one\n  A->>B: nobody declared B",
        "sequenceDiagram\n  participant A as one\n  A->>A",
        "stateDiagram-v2\n  a -> b",
    ],
)
def test_what_cannot_be_drawn_is_found(picture: str) -> None:
    assert faults(picture) != []
