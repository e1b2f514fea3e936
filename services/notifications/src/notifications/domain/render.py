"""A letter's text and HTML from one template: the blocks are drawn twice, by `ui.text.j2` and `ui.html.j2`."""

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from notifications.domain import qr, words
from notifications.domain.letters import Letter, Picture, QrLetter, RefundLetter, Rendered
from notifications.domain.words import Written

_CID = "qr"
_EMPTY_LINES = re.compile(r"\n{3,}")


def render_qr(letter: QrLetter) -> Rendered:
    """The delivery mail with its QR code."""
    language = words.written(letter.language)
    t = _texts(language)["qr"]
    valid_until = words.day(letter.valid_until, language)
    picture = Picture(_CID, *qr.picture(letter.code.text))
    subject = t["subject"].format(plan=letter.plan.title, order_number=letter.order_number)
    more = {
        "t": t,
        "picture": picture,
        "preview": t["preview"].format(valid_until=valid_until),
        "valid_until": valid_until,
        "data": words.volume(letter.plan.data_mb, language),
        "days": words.days(letter.plan.validity_days, language),
    }
    text, html = _both("qr.j2", letter, language, more)
    return Rendered(subject, text, html, (picture,))


def render_refund(letter: RefundLetter) -> Rendered:
    """The mail that says that the money goes back."""
    language = words.written(letter.language)
    t = _texts(language)["refund"]
    amount = words.money(letter.amount, language)
    more = {
        "t": t,
        "preview": t["preview"].format(amount=amount),
        "amount": amount,
        "explanation": letter.explanation.ru if language == "ru" else letter.explanation.en,
        "expected": words.day(letter.credited_by, language) if letter.credited_by else None,
    }
    text, html = _both("refund.j2", letter, language, more)
    return Rendered(t["subject"].format(amount=amount, order_number=letter.order_number), text, html)


def _both(template: str, letter: Letter, language: Written, more: dict[str, Any]) -> tuple[str, str]:
    common = _texts(language)["common"]
    context = {
        "letter": letter,
        "language": language,
        "common": common,
        "greeting": common["hello"].format(name=" ".join(letter.name.split())),
        "support": common["support"].format(support=letter.store.support, order_number=letter.order_number),
        "why_this_mail": common["why_this_mail"].format(storefront=letter.store.name),
        **more,
    }
    text = _environment("text").get_template(template).render(form="text", **context)
    html = _environment("html").get_template(template).render(form="html", **context)
    return text, html


@cache
def _environment(form: str) -> Environment:
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


@cache
def _texts(language: Written) -> dict[str, dict[str, str]]:
    return tomllib.loads((files("notifications") / "texts" / f"{language}.toml").read_text("utf-8"))
