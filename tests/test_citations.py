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
#: `[text](target)`, `![image](target)`, with or without a title.
_LINK = re.compile(r"\[[^\]]*\]\(<?([^)\s>]+)>?(?:\s+\"[^\"]*\")?\)")
#: `[name]: target` on a line of its own.
_DEFINITION = re.compile(r"^\[[^\]]+\]:\s*<?(\S+?)>?(?:\s+\"[^\"]*\")?$", re.MULTILINE)
_CODE = re.compile(r"^ *(```|~~~).*?^ *\1[ \t]*$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
_LINES = re.compile(r"#L\d+(-L\d+)?$")
#: A command, not the verb: at the beginning of code or of one of its lines.
_TARGET = re.compile(r"(?:^ *|`|&& )make ([a-z][a-z-]*)\b", re.MULTILINE)
#: Pages that are written under the rule of five lines.
_PROSE = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "docs/decisions.md")
_PROSE_FOLDERS = ("docs/architecture", "docs/how-to")
_LONGEST_PARAGRAPH, _WIDTH = 5, 120


def _tracked() -> Iterator[Path]:
    command = ["git", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)  # noqa: S603 - nothing from outside
    for name in filter(None, listed.stdout.decode().split("\0")):
        path = ROOT / name
        if path.suffix in _KINDS and path.is_file():
            yield path


def clauses(text: str) -> Iterator[str]:
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
    known = set(clauses((ROOT / "docs/policies.md").read_text()))
    known |= {clause.partition(".")[0] for clause in known}  # a chapter as a whole
    unknown = {
        f"{path.relative_to(ROOT)}: {clause}"
        for path in _tracked()
        for clause in clauses(path.read_text())
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
        for target in _targets(path.read_text()):
            if re.match(r"[a-z]+:", target):
                continue
            file, _, anchor = _LINES.sub("", target).partition("#")
            found = (path.parent / file).resolve() if file else path
            page = found / "README.md" if found.is_dir() else found
            if not found.exists() or (anchor and anchor not in _anchors(page)):
                broken.add(f"{path.relative_to(ROOT)}: {target}")
    assert broken == set()


def test_an_anchor_is_named_as_github_names_it() -> None:
    page = "# A `code` & [link](x.md)\n\n## Same\n\n```sh\n# no heading\n```\n\n## Same\n"
    assert _anchors_of(page) == {"a-code--link", "same", "same-1"}


def test_links_in_code_are_no_links() -> None:
    page = '[a](b.md) `[c](d.md)`\n\n```\n[e](f.md)\n```\n\n![g](h.png) [i](j.md#k "title")\n\n[l]: m.md\n'
    assert _targets(page) == ["b.md", "h.png", "j.md#k", "m.md"]


def test_every_page_of_a_capability_has_a_picture_and_stands_in_the_index() -> None:
    folder = ROOT / "docs/architecture"
    pages = {page.name for page in folder.glob("*.md")} - {"README.md"}
    index = set(_targets((folder / "README.md").read_text()))
    assert {name for name in pages if "```mermaid" not in (folder / name).read_text()} == set()
    assert pages - index == set()


def test_every_make_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    missing = {
        f"{path.relative_to(ROOT)}: make {target}"
        for path in _prose()
        for quoted in _CODE.finditer(path.read_text())
        for target in _TARGET.findall(quoted.group())
        if target not in targets
    }
    assert missing == set()


def test_no_paragraph_has_more_than_five_lines() -> None:
    long = {
        f"{path.relative_to(ROOT)}: {paragraph[:60]}"
        for path in _prose()
        for paragraph in _paragraphs(path.read_text())
        if -(-len(paragraph) // _WIDTH) > _LONGEST_PARAGRAPH
    }
    assert long == set()


def _prose() -> Iterator[Path]:
    yield from (ROOT / name for name in _PROSE)
    for folder in _PROSE_FOLDERS:
        yield from sorted((ROOT / folder).glob("*.md"))


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs and items of lists, each as one line. Tables, headings and code are none."""
    blocks = re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )", _BLOCK.sub("", text))
    for block in blocks:
        if not block.lstrip().startswith(("|", "#", "<")):
            yield " ".join(block.split())


def _targets(text: str) -> list[str]:
    """Where the links of a page lead; code has none."""
    prose = _CODE.sub("", text)
    return _LINK.findall(prose) + _DEFINITION.findall(prose)


def _anchors(page: Path) -> set[str]:
    return _anchors_of(page.read_text()) if page.suffix == ".md" and page.is_file() else set()


def _anchors_of(text: str) -> set[str]:
    """As GitHub makes them of headings: a heading that is there before gets a number."""
    anchors: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", _BLOCK.sub("", text), re.MULTILINE):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        name = re.sub(r"[^\w\- ]", "", shown).replace(" ", "-")
        number = 0
        while (numbered := f"{name}-{number}" if number else name) in anchors:
            number += 1
        anchors.add(numbered)
    return anchors
