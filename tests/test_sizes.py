"""No file of code is so long that nobody reads it to its end."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
MOST_LINES = 400


def test_no_file_of_code_has_more_lines_than_a_person_reads_at_once() -> None:
    command = ["git", "ls-files", "-z", "*.py"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)  # noqa: S603 - nothing from outside
    names = [name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]
    assert len(names) > 500
    lines = {name: (ROOT / name).read_text(encoding="utf-8").count("\n") for name in names}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}
