"""An HTML page as a tree: enough to find elements, read their text and fill in their forms.

Selectors are the simple ones of CSS: `h1`, `#code button`, `img.qr`, `button[value=erase]`; a space means "inside".
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = re.compile("area|base|br|col|embed|hr|img|input|link|meta|source|track|wbr")
#: Elements whose text stands on lines of its own.
_BLOCKS = re.compile(
    "address|article|aside|body|dd|details|div|dl|dt|footer|form|h[1-6]|header|html|li|main|nav|ol|p|section|"
    "summary|table|tr|ul"
)
_INVISIBLE = frozenset({"head", "script", "style", "template"})
_PART = re.compile(r"^(?P<tag>[a-z][\w-]*)?(?P<rest>(?:#[\w-]+|\.[\w-]+|\[[\w-]+=[^\]]+\])*)$")
_CONDITION = re.compile(r"#(?P<id>[\w-]+)|\.(?P<cls>[\w-]+)|\[(?P<name>[\w-]+)=(?P<value>[^\]]+)\]")


@dataclass(eq=False)
class Element:
    """One element; `children` are elements and texts in their order."""

    tag: str
    attributes: Mapping[str, str]
    parent: "Element | None" = None
    children: "list[Element | str]" = field(default_factory=list)

    def all(self) -> "Iterator[Element]":
        """The element and everything in it, in the order of the page."""
        yield self
        for child in self.children:
            if isinstance(child, Element):
                yield from child.all()

    def inside(self, tag: str) -> "Element | None":
        """The nearest element of that name around this one."""
        around = self.parent
        while around is not None and around.tag != tag:
            around = around.parent
        return around

    def find(self, selector: str) -> "Element | None":
        """The first element that a selector names. Raises ValueError for a selector of another kind."""
        found: list[Element] = [self]
        for part in selector.split():
            found = [one for base in found for one in base.all() if one is not base and _matches(one, part)]
        return found[0] if found else None

    def text(self) -> str:
        """What a person can read there: a line for each block, without blank ones."""
        lines = "".join(self.texts()).splitlines()
        return "\n".join(line for line in (" ".join(line.split()) for line in lines) if line)

    def texts(self) -> Iterator[str]:
        """The visible texts in it, with line breaks around blocks."""
        if self.tag in _INVISIBLE or "hidden" in self.attributes:
            return
        around = "\n" if _BLOCKS.fullmatch(self.tag) else ""
        yield around
        for child in self.children:
            if isinstance(child, str):
                yield child.replace("\n", " ")
            else:
                yield from child.texts()
        yield around


def parse(html: str) -> Element:
    """The tree of a page."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    return parser.root


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {})
        self._now = self.root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, self._now)
        self._now.children.append(element)
        if not _VOID.fullmatch(tag):
            self._now = element

    def handle_endtag(self, tag: str) -> None:
        around: Element | None = self._now
        while around is not None and around.tag != tag:
            around = around.parent
        if around is not None and around.parent is not None:
            self._now = around.parent

    def handle_data(self, data: str) -> None:
        self._now.children.append(data)


def _matches(element: Element, part: str) -> bool:
    parsed = _PART.match(part)
    if parsed is None:
        raise ValueError(f"not a selector of this kind: {part}")
    if parsed["tag"] and element.tag != parsed["tag"]:
        return False
    return all(_holds(element, condition) for condition in _CONDITION.finditer(parsed["rest"]))


def _holds(element: Element, condition: re.Match[str]) -> bool:
    if condition["id"]:
        return element.attributes.get("id") == condition["id"]
    if condition["cls"]:
        return condition["cls"] in element.attributes.get("class", "").split()
    return element.attributes.get(condition["name"]) == condition["value"]
