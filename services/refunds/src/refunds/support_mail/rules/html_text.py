"""The text of an HTML mail: lines as a reader sees them, quoted parts marked with `> `."""

from html.parser import HTMLParser

_HIDDEN = frozenset({"script", "style", "head", "title", "template"})
_BLOCKS = frozenset(
    {"p", "div", "br", "tr", "li", "ul", "ol", "table", "blockquote", "h1", "h2", "h3", "h4", "hr", "pre", "section"}
)
_VOID = frozenset({"br", "hr", "img", "meta", "input", "link", "col", "area", "base", "wbr"})
#: Classes with which Gmail, Yandex and Yahoo mark what is quoted.
_QUOTES = ("gmail_quote", "yahoo_quoted", "moz-cite-prefix")
_MOST_DEEP = 200


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[tuple[bool, str]] = []
        self._line: list[str] = []
        #: Open elements: name, and whether it hides or quotes what is in it.
        self._open: list[tuple[str, bool, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _BLOCKS:
            self.end_line()
        if tag in _VOID or len(self._open) >= _MOST_DEEP:
            return
        values = dict(attrs)
        hides = tag in _HIDDEN or "display:none" in (values.get("style") or "").replace(" ", "").lower()
        quotes = tag == "blockquote" or any(name in (values.get("class") or "") for name in _QUOTES)
        self._open.append((tag, hides, quotes))

    def handle_endtag(self, tag: str) -> None:
        if tag in _BLOCKS:
            self.end_line()
        places = [place for place, (name, _, _) in enumerate(self._open) if name == tag]
        if places:
            del self._open[places[-1] :]

    def handle_data(self, data: str) -> None:
        if not any(hides for _, hides, _ in self._open):
            self._line.append(data)

    def end_line(self) -> None:
        text = " ".join("".join(self._line).split())
        self._line = []
        quoted = any(quotes for _, _, quotes in self._open)
        self.lines.append((quoted, text))


def text_of_html(html: str) -> str:
    """The text. Broken HTML is read as far as it goes."""
    reader = _Reader()
    try:
        reader.feed(html)
        reader.close()
    except (AssertionError, ValueError, RecursionError):  # what the standard parser raises at broken declarations
        pass
    reader.end_line()
    text: list[str] = []
    for quoted, line in reader.lines:
        if line or (text and text[-1]):
            text.append(f"> {line}" if quoted else line)
    return "\n".join(text).strip()
