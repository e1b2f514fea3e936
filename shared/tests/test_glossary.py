"""The glossary is true: every term lives in a file that exists, and is explained once."""

import re
from pathlib import Path

GLOSSARY = Path(__file__).parents[2] / "docs" / "glossary.md"
ROWS = [line.split(" | ") for line in GLOSSARY.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
TERMS = [row for row in ROWS if row[0] != "| term"]


def test_every_term_names_a_file_that_exists() -> None:
    missing = {
        row[0]: link
        for row in TERMS
        for link in re.findall(r"\]\(([^)#]+)", "".join(row)) or ["(no file is named)"]
        if not (GLOSSARY.parent / link).is_file()
    }
    assert not missing


def test_every_term_is_explained_once() -> None:
    terms = [term.strip() for row in TERMS for term in row[0].removeprefix("| ").split(",")]
    assert len(terms) > 30
    assert sorted(set(terms)) == sorted(terms)


def test_every_meaning_is_short() -> None:
    assert [row[0] for row in TERMS if len(row) != 3 or len(row[1]) > 140] == []
