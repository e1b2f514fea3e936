"""What is cited is there: clauses, invariants, pages of `docs/`, links and their anchors."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
_KINDS = (".py", ".md", ".toml", ".sql", ".yaml", ".yml", ".tpl", ".j2")
_CLAUSE = re.compile(r"\b(RP|PO|PP|RC|RF) (\d{1,2}(?:\.\d+)?)(?![\d-])((?:(?:–|, )\d{1,2}(?:\.\d+)?\b)*)")
_INVARIANT = re.compile(r"\bI(\d{1,2})\b(?! ?[=(])")
_PAGE = re.compile(r"\bdocs/[\w/.-]+\.md\b")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def _tracked() -> Iterator[Path]:
    command = ["git", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)  # noqa: S603 - nothing from outside
    for name in filter(None, listed.stdout.decode().split("\0")):
        path = ROOT / name
        if path.suffix in _KINDS and path.is_file():
            yield path


def _clauses(text: str) -> Iterator[str]:
    """`RP 2.1–2.3` as RP 2.1, RP 2.2 and RP 2.3; `RC 5, 6` as RC 5 and RC 6."""
    for document, first, rest in _CLAUSE.findall(text):
        yield f"{document} {first}"
        before = first
        for mark, number in re.findall(r"(–|, )(\d+(?:\.\d+)?)", rest):
            if mark == "–" and "." in before and "." in number:
                chapter, start = before.split(".")
                yield from (f"{document} {chapter}.{one}" for one in range(int(start), int(number.split(".")[1]) + 1))
            else:
                yield f"{document} {number}"
            before = number


def test_every_clause_that_is_cited_is_in_the_policies() -> None:
    known = set(_clauses((ROOT / "docs/policies.md").read_text()))
    known |= {clause.partition(".")[0] for clause in known}  # a chapter as a whole
    unknown = {
        f"{path.relative_to(ROOT)}: {clause}"
        for path in _tracked()
        for clause in _clauses(path.read_text())
        if clause not in known and clause.partition(".")[0] not in known
    }
    assert unknown == set()


def test_every_invariant_that_is_cited_is_listed() -> None:
    known = set(re.findall(r"^\| I(\d+) \|", (ROOT / "docs/invariants.md").read_text(), re.MULTILINE))
    assert len(known) == 15
    unknown = {
        f"{path.relative_to(ROOT)}: I{number}"
        for path in _tracked()
        if path.suffix in (".py", ".md")
        for number in _INVARIANT.findall(path.read_text())
        if number not in known
    }
    assert unknown == set()


def test_every_page_of_the_documentation_that_is_named_exists() -> None:
    missing = {
        f"{path.relative_to(ROOT)}: {page}"
        for path in _tracked()
        for page in _PAGE.findall(path.read_text())
        if not (ROOT / page).is_file()
    }
    assert missing == set()


def test_no_page_is_named_that_a_clone_has_not() -> None:
    """Pages of the documentation are named with their folder."""
    bare = re.compile(r"(?<![\w/.-])(?:interfaces|policies|reliability|architecture|stack|invariants)\.md\b")
    named = {
        f"{path.relative_to(ROOT)}: {found}"
        for path in _tracked()
        if path != Path(__file__) and ROOT / "docs" not in path.parents
        for found in bare.findall(re.sub(r"\[[^\]]*\]\([^)]*\)", "", path.read_text()))
    }
    assert named == set()


def test_every_link_leads_somewhere() -> None:
    broken = set()
    for path in _tracked():
        if path.suffix != ".md":
            continue
        for target in _LINK.findall(path.read_text()):
            if "://" in target or target.startswith("mailto:"):
                continue
            file, _, anchor = target.partition("#")
            found = (path.parent / file).resolve() if file else path
            if not found.exists() or (anchor and found.suffix == ".md" and anchor not in _anchors(found)):
                broken.add(f"{path.relative_to(ROOT)}: {target}")
    assert broken == set()


def _anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
