"""The account page: the same blocks for every order, with what is known of this one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from notifications.account.rules.rights import Rights
from notifications.account.rules.timeline import Line, Mailed, is_moving, returned, standing, timeline, usage, veiled
from notifications.emails import Storefront, Words, data_uri, environment, texts
from shared.contracts import Language, Money
from shared.values.activation_code import ActivationCode


@dataclass(frozen=True, slots=True)
class Shown:
    """A code that the buyer asked to see."""

    code: ActivationCode
    confirmation_code: str | None
    iccid: str
    apn: str | None


@dataclass(frozen=True, slots=True)
class Prospect:
    """What the terms say of a request for this reason, today."""

    reason: str
    explanation: str


@dataclass(frozen=True, slots=True)
class Refunding:
    """The section on refunds. state: open (to be asked) | done (money goes back already) | away (cannot be asked)."""

    state: str
    prospects: tuple[Prospect, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """All that a page shows. `path`: of the page itself; `form`: what its forms carry; `said`: what was just done."""

    storefront: str
    store: Storefront
    language: Language
    words: Words
    path: str
    form: str
    state: str
    order: Mapping[str, Any]
    mails: Sequence[Mailed]
    email: str
    has_code: bool
    shown: Shown | None = None
    refunding: Refunding | None = None
    rights: Rights | None = None
    #: Whether to ask for the mailbox's consent to newsletters.
    news: bool = False
    said: str | None = None


def render_page(page: Page) -> str:
    """The HTML of an order's page."""
    order, sentences = page.order, texts(page.language)
    t = {**sentences["account"], **sentences["rights"]}
    now = standing(order, page.mails)
    values = {"order_number": order["order_number"], "support": page.store.support, "email": veiled(page.email)}
    paid = order["paid"]
    plan_ends_at = order["plan_ends_at"]
    receipt = order["receipt"]["ticket_url"] if order["receipt"] is not None else None
    lines: list[Line] = timeline(order, page.mails, page.words)
    return (
        environment("html")
        .get_template("account.html.j2")
        .render(
            page=page,
            t={name: text.format(**values) if "{" in text and name not in _LATER else text for name, text in t.items()},
            common={"support": sentences["common"]["support"].format(**values)},
            qr=sentences["qr"],
            now=now,
            moving=is_moving(order, page.mails),
            returned=returned(page.mails),
            lines=[(line, page.words.minute(line.at)) for line in lines],
            usage=usage(order, page.words),
            plan=paid["plan"] if paid is not None else None,
            data=page.words.volume(paid["plan"]["data_mb"]) if paid is not None else None,
            days=page.words.days(paid["plan"]["validity_days"]) if paid is not None else None,
            paid=page.words.money(Money.model_validate(paid["paid"])) if paid is not None else None,
            valid_until=page.words.day(order["valid_until"]) if order["valid_until"] is not None else None,
            plan_ends=page.words.day(plan_ends_at) if plan_ends_at is not None else None,
            receipt=receipt if receipt is not None and receipt.startswith(("https://", "http://")) else None,
            picture=data_uri(page.shown.code.text) if page.shown is not None else None,
        )
    )


#: Sentences whose places are filled in the template.
_LATER = frozenset({"usage_of", "usage_only", "usage_as_of"})


@cache
def stylesheet(accent: str) -> str:
    """The page's style in a storefront's colour."""
    return f":root {{ --accent: {accent}; }}\n" + asset("account.css")


@cache
def asset(name: str) -> str:
    """A file that pages load."""
    return (files("notifications") / "assets" / name).read_text("utf-8")
