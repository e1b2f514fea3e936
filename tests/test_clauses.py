"""`docs/policies.md` names, for each clause, the code that keeps it and the test that proves it; both exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from test_citations import ROOT, clauses

_TEXT = (ROOT / "docs/policies.md").read_text()
_PROMISES, _, _TABLE = _TEXT.partition("\n## Where each clause is kept\n")
_ROW = re.compile(r"^\| ([A-Z]{2} [\d.]+) \| [^|]+ \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_REFERENCE = re.compile(r"`([^`]+)`")
_ROWS = {clause: (_REFERENCE.findall(code), _REFERENCE.findall(test)) for clause, code, test in _ROW.findall(_TABLE)}


@cache
def _names(path: Path) -> frozenset[str]:
    """Functions and classes of a module by name, methods as `Class.method` too."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{one.name}" for one in node.body if isinstance(one, _FUNCTIONS)}
    return frozenset(found)


def _missing(reference: str) -> bool:
    name, _, symbol = reference.partition("::")
    path = ROOT / name
    return not path.is_file() or (bool(symbol) and symbol not in _names(path))


def test_every_clause_has_its_row() -> None:
    assert set(clauses(_PROMISES)) == set(_ROWS)
    assert len(_ROW.findall(_TABLE)) == len(_ROWS)


@pytest.mark.parametrize("clause", _ROWS)
def test_what_a_row_names_is_there(clause: str) -> None:
    code, tests = _ROWS[clause]
    assert code
    assert tests
    assert [one for one in (*code, *tests) if _missing(one)] == []
    assert [one for one in tests if not Path(one.partition("::")[0]).name.startswith("test_")] == []


@pytest.mark.parametrize("clause", _ROWS)
def test_a_policy_file_and_the_test_of_its_rows_cite_the_clause(clause: str) -> None:
    code, tests = _ROWS[clause]
    cited = [one.partition("::")[0] for one in (*code, *tests) if one.endswith((".toml", "::test_row"))]
    assert [name for name in cited if clause not in set(clauses((ROOT / name).read_text()))] == []
