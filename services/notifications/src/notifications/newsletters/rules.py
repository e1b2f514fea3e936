"""Newsletters: what they say, from a safe markup (CommonMark without HTML and pictures), as text and HTML."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from markdown_it import MarkdownIt
from markupsafe import Markup

from notifications.emails import Rendered, Storefront, environment, texts, written
from shared.contracts import Language

_LEAST_HEADING = 6
_LINKS = ("https://", "http://", "mailto:")


class _Markup(MarkdownIt):
    """Links lead to pages and mailboxes only."""

    def validateLink(self, url: str) -> bool:  # noqa: N802 - the library's name
        return url.lower().startswith(_LINKS)


#: A picture from elsewhere would tell who has opened the mail.
_MARKUP = _Markup("commonmark", {"html": False}).disable("image")


@dataclass(frozen=True, slots=True)
class Letter:
    """What a newsletter says in one language. `text`: CommonMark."""

    subject: str
    text: str


def choose(letters: Mapping[str, Letter], language: str | None) -> tuple[Language, Letter]:
    """The letter for a reader of this language; where there is none (the buyer has another by now), any."""
    chosen = language if language in letters else next(iter(letters))
    return written(chosen or "en"), letters[chosen or "en"]


def render_newsletter(store: Storefront, language: Language, letter: Letter, name: str, unsubscribe: str) -> Rendered:
    """The mail to one reader. `unsubscribe`: their own link."""
    t = texts(language)["newsletter"]
    context = {
        "store": store,
        "language": language,
        "letter": letter,
        "greeting": texts(language)["common"]["hello"].format(name=" ".join(name.split())),
        "body": Markup(html(letter.text)),  # noqa: S704 - made by us, without HTML of others
        "why": t["why"].format(storefront=store.name),
        "unsubscribe": (t["unsubscribe"], unsubscribe),
    }
    text, page = (
        environment(form).get_template("newsletter.j2").render(form=form, **context) for form in ("text", "html")
    )
    return Rendered(letter.subject, text, page)


@lru_cache(maxsize=32)
def html(text: str) -> str:
    """CommonMark as HTML; HTML in it is shown as it is written. The mail's title stands above all its headings."""
    tokens = _MARKUP.parse(text)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1:]) + 1, _LEAST_HEADING)}"
    return str(_MARKUP.renderer.render(tokens, _MARKUP.options, {}))


def list_headers(unsubscribe: str) -> tuple[str, str]:
    """One-click unsubscribing (RFC 2369, RFC 8058)."""
    return f"List-Unsubscribe: <{unsubscribe}>", "List-Unsubscribe-Post: List-Unsubscribe=One-Click"
