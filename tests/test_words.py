"""Identifiers use the terms of docs/glossary.md: the private words of earlier releases do not come back."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: Words that named something here and that no engineer knows from elsewhere; each has a term in the glossary.
PRIVATE = re.compile("alive|births|chores|desks?|door|figures|hands|ill|lanes?|polite|spine|teller|telling|told")
#: Names that stay: stored or on the wire, imported by released migrations, or a term of a protocol.
KEPT = {"told_at", "spine", "_KEEP_ALIVE_SECONDS"}
#: Deployed code, the tools around it, and all tests.
SOURCES = ("shared", "services/*/src", "services/*/tests", "clients", "examples", "deploy", "tests")


def private(path: Path, text: str) -> Iterator[str]:
    """The names in a module, and its own, that contain a private word."""
    names = {path.stem}
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                names.add(name)
    for name in sorted(names - KEPT):
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_")
        if any(PRIVATE.fullmatch(word) for word in words):
            yield name


@pytest.mark.parametrize("source", SOURCES)
def test_no_identifier_has_a_private_word(source: str) -> None:
    paths = [path for folder in ROOT.glob(source) for path in folder.rglob("*.py")]
    assert paths
    found = {str(path.relative_to(ROOT)): list(private(path, path.read_text(encoding="utf-8"))) for path in paths}
    assert {path: names for path, names in found.items() if names} == {}


def test_a_private_word_is_found_wherever_it_stands() -> None:
    text = "class OrderDesk:\n    def hands(self, told):\n        self.lane = births = 'figures'\n"
    assert list(private(Path("telling.py"), text)) == ["OrderDesk", "births", "hands", "lane", "telling", "told"]
