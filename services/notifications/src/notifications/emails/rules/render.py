"""A letter's text and HTML from one template: the blocks are drawn twice, by `ui.text.j2` and `ui.html.j2`."""

import re
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from notifications.emails.models.content import ActivationCodeEmail, Letter, NoteEmail, Picture, Rendered
from notifications.emails.rules import qr
from notifications.emails.rules import texts as formats
from shared.contracts import Language

_CID = "qr"
_EMPTY_LINES = re.compile(r"\n{3,}")


def render_qr(letter: ActivationCodeEmail) -> Rendered:
    """The delivery mail with its QR code."""
    language = formats.written(letter.language)
    t = formats.texts(language)["qr"]
    valid_until = formats.day(letter.valid_until, language)
    picture = Picture(_CID, *qr.picture(letter.code.text))
    subject = t["subject"].format(plan=letter.plan.title, order_number=letter.order_number)
    more = {
        "t": t,
        "picture": picture,
        "preview": t["preview"].format(valid_until=valid_until),
        "valid_until": valid_until,
        "data": formats.volume(letter.plan.data_mb, language),
        "days": formats.days(letter.plan.validity_days, language),
    }
    text, html = _both("qr.j2", letter, language, more)
    return Rendered(subject, text, html, (picture,))


def render_note(letter: NoteEmail) -> Rendered:
    """Any mail without a code."""
    language = formats.written(letter.language)
    note = letter.note
    t = formats.texts(language)[note.section]
    values = {**note.values, "order_number": letter.order_number, "support": letter.store.support}
    more = {
        "t": t,
        "note": note,
        "preview": t["preview"].format(**values),
        "paragraphs": [*note.said, *(t[name].format(**values) for name in note.paragraphs)],
        "points": [t[name].format(**values) for name in note.points],
    }
    text, html = _both("note.j2", letter, language, more)
    return Rendered(t["subject"].format(**values), text, html)


def _both(template: str, letter: Letter, language: Language, more: dict[str, Any]) -> tuple[str, str]:
    common = formats.texts(language)["common"]
    context = {
        "letter": letter,
        "language": language,
        "common": common,
        "greeting": common["hello"].format(name=" ".join(letter.name.split())),
        "support": common["support"].format(support=letter.store.support, order_number=letter.order_number),
        "why_this_mail": common["why_this_mail"].format(storefront=letter.store.name),
        **more,
    }
    text = environment("text").get_template(template).render(form="text", **context)
    html = environment("html").get_template(template).render(form="html", **context)
    return text, html


@cache
def environment(form: str) -> Environment:
    """Templates as text or as HTML."""
    environment = Environment(
        loader=PackageLoader("notifications"),
        autoescape=form == "html",  # noqa: S701 - only the plain text is not escaped
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["tidy"] = _tidy
    return environment


def _tidy(text: str) -> str:
    """At most one empty line in a row."""
    return _EMPTY_LINES.sub("\n\n", text).strip()
