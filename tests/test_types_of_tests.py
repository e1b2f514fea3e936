"""Tests say what their fixtures, rows and documents are: none of them uses `typing.Any`.

The names for what only the assertions know are in `shared.testing.documents`. Where a test is about annotations, or no
class fits, its import of `Any` says why: `from typing import Any  # Any: the reason`.
"""

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
_OF_TESTS = ("*tests/*.py", "*conftest.py")


def unexplained(text: str) -> Iterator[int]:
    """The lines that import `Any`, or read it from its module, without a reason."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.ImportFrom(module="typing" | "typing_extensions", names=names):
                used = any(name.name == "Any" for name in names)
            case ast.Attribute(value=ast.Name(id="typing" | "typing_extensions"), attr="Any"):
                used = True
            case _:
                continue
        if used and "# Any: " not in "\n".join(lines[node.lineno - 1 : node.end_lineno]):
            yield node.lineno


def test_no_test_leaves_a_type_open() -> None:
    command = ["git", "ls-files", "-z", *_OF_TESTS]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)  # noqa: S603 - nothing from outside
    paths = [path for name in listed.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]
    assert len(paths) > 300
    found = {str(path.relative_to(ROOT)): list(unexplained(path.read_text(encoding="utf-8"))) for path in paths}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_any_is_found_however_it_is_imported() -> None:
    assert list(unexplained("from typing import Any, cast\n")) == [1]
    assert list(unexplained("import typing\nx: list[typing.Any] = []\n")) == [2]
    assert list(unexplained("from typing import (\n    Any,\n    cast,\n)\n")) == [1]
    assert list(unexplained("from typing import Any  # Any: it is what is tested\n")) == []
