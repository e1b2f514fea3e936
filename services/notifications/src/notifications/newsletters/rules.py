"""Renders newsletters from a safe markup (CommonMark without HTML and pictures) as text and HTML."""

from collections.abc import Mapping
from functools import lru_cache

from markdown_it import MarkdownIt
from markupsafe import Markup

from notifications.emails import Rendered, Storefront, environment, texts, written
from notifications.newsletters.models import NewsletterText
from shared.contracts import Language

_LEAST_HEADING = 6
_LINKS = ("https://", "http://", "mailto:")


class _Markup(MarkdownIt):
    """CommonMark whose links lead to pages and mailboxes only."""

    def validateLink(self, url: str) -> bool:  # noqa: N802 - the library's name
        return url.lower().startswith(_LINKS)


#: A picture from another server would report who opened the email.
_MARKUP = _Markup("commonmark", {"html": False}).disable("image")


def choose(texts_by_language: Mapping[str, NewsletterText], language: str | None) -> tuple[Language, NewsletterText]:
    """Choose the text for a reader of this language, or any text if the reader's language has changed since."""
    chosen = language if language in texts_by_language else next(iter(texts_by_language))
    return written(chosen or "en"), texts_by_language[chosen or "en"]


def render_newsletter(
    store: Storefront, language: Language, newsletter: NewsletterText, name: str, unsubscribe: str
) -> Rendered:
    """Render the email to one reader. `unsubscribe` is the reader's own link."""
    t = texts(language)["newsletter"]
    context = {
        "store": store,
        "language": language,
        "newsletter": newsletter,
        "greeting": texts(language)["common"]["hello"].format(name=" ".join(name.split())),
        "body": Markup(html(newsletter.text)),  # noqa: S704 - our own HTML: markup of the author is escaped
        "why": t["why"].format(storefront=store.name),
        "unsubscribe": (t["unsubscribe"], unsubscribe),
    }
    text, page = (
        environment(form).get_template("newsletter.j2").render(form=form, **context) for form in ("text", "html")
    )
    return Rendered(newsletter.subject, text, page)


@lru_cache(maxsize=32)
def html(text: str) -> str:
    """CommonMark as HTML. HTML in it is escaped. Headings rank below the title of the email."""
    tokens = _MARKUP.parse(text)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(int(token.tag[1:]) + 1, _LEAST_HEADING)}"
    return str(_MARKUP.renderer.render(tokens, _MARKUP.options, {}))
