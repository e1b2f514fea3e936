"""Renders an email as text and HTML from one template. Its blocks are `ui.text.j2` and `ui.html.j2`."""

import re
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from notifications.emails.models.content import ActivationCodeEmail, NoteEmail, OrderEmail, Picture, Rendered
from notifications.emails.rules import qr
from notifications.emails.rules import texts as formats
from shared.contracts import Language

_CID = "qr"
_EMPTY_LINES = re.compile(r"\n{3,}")


def render_activation_code(email: ActivationCodeEmail) -> Rendered:
    """The email with the activation code and its QR code."""
    language = formats.written(email.language)
    t = formats.texts(language)["qr"]
    valid_until = formats.day(email.valid_until, language)
    picture = Picture(_CID, *qr.picture(email.code.text))
    subject = t["subject"].format(plan=email.plan.title, order_number=email.order_number)
    more = {
        "t": t,
        "picture": picture,
        "preview": t["preview"].format(valid_until=valid_until),
        "valid_until": valid_until,
        "data": formats.volume(email.plan.data_mb, language),
        "days": formats.days(email.plan.validity_days, language),
    }
    text, html = _both("qr.j2", email, language, more)
    return Rendered(subject, text, html, (picture,))


def render_note(email: NoteEmail) -> Rendered:
    """Any email without an activation code."""
    language = formats.written(email.language)
    note = email.note
    t = formats.texts(language)[note.section]
    values = {**note.values, "order_number": email.order_number, "support": email.store.support}
    more = {
        "t": t,
        "reminders": formats.texts(language)["reminders"],
        "note": note,
        "preview": t["preview"].format(**values),
        "paragraphs": [*note.explanations, *(t[name].format(**values) for name in note.paragraphs)],
        "points": [t[name].format(**values) for name in note.points],
    }
    text, html = _both("note.j2", email, language, more)
    return Rendered(t["subject"].format(**values), text, html)


def _both(template: str, email: OrderEmail, language: Language, more: dict[str, Any]) -> tuple[str, str]:
    common = formats.texts(language)["common"]
    context = {
        "email": email,
        "language": language,
        "common": common,
        "greeting": common["hello"].format(name=" ".join(email.name.split())),
        "support": common["support"].format(support=email.store.support, order_number=email.order_number),
        "why_this_mail": common["why_this_mail"].format(storefront=email.store.name),
        **more,
    }
    text = environment("text").get_template(template).render(form="text", **context)
    html = environment("html").get_template(template).render(form="html", **context)
    return text, html


@cache
def environment(form: str) -> Environment:
    """The template environment for `text` or `html`."""
    environment = Environment(
        loader=PackageLoader("notifications"),
        autoescape=form == "html",  # noqa: S701 - HTML is escaped, plain text needs no escaping
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["tidy"] = _tidy
    return environment


def _tidy(text: str) -> str:
    """At most one empty line in a row."""
    return _EMPTY_LINES.sub("\n\n", text).strip()
