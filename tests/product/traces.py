"""Recorded spans of the whole product."""

import json
from collections.abc import Mapping
from pathlib import Path

from product.running import Product
from shared.testing.documents import Json

Span = Mapping[str, Json]
#: By service and kind of task: what it continues, its calls, and the topics that it writes.
Tasks = Mapping[tuple[str, str], tuple[str, set[str], set[str]]]


class Trace:
    """All recorded spans of one trace."""

    def __init__(self, product: Product, trace: str) -> None:
        self.spans = [span for path in files(product) for span in read(path) if span["trace"] == trace[3:35]]

    def one(self, service: str, name: str) -> Span:
        found = [span for span in self.spans if (span["service"], span["name"]) == (service, name)]
        assert len(found) == 1, f"{len(found)} spans {name!r} of {service}"
        return found[0]

    def below(self, parent: Span) -> list[Span]:
        return [span for span in self.spans if span["parent"] == parent["span"]]

    def missing(self, hops: Mapping[str, set[str]], work: Tasks) -> str:
        wanted = {(topic.partition(".")[0], f"send {topic}") for topic in hops}
        wanted |= {(reader, f"process {topic}") for topic, readers in hops.items() for reader in readers}
        wanted |= {(service, f"work {kind}") for service, kind in work}
        left = wanted - {(span["service"], span["name"]) for span in self.spans}
        return f"no spans {sorted(left)}" if left else ""


def files(product: Product) -> list[Path]:
    return [product.trace_file(name) for name in product.services]


def read(path: Path) -> list[Span]:
    return [span for line in path.read_text().splitlines(keepends=True) if (span := whole(line)) is not None]


def whole(line: str) -> Span | None:
    """The span of a line, or None where it is in the writing, or its writer was killed amid it."""
    try:
        span: Span | None = json.loads(line) if line.endswith("\n") else None
    except json.JSONDecodeError:
        return None
    return span
