"""Renders the account page: the same blocks for every order, with the data of this one; and the page before it."""

from functools import cache
from importlib.resources import files
from typing import get_args

from notifications.account.models import Page
from notifications.account.rules.timeline import code_came_back, is_in_progress, masked, status, timeline, usage
from notifications.account.uploads import MOST_FILES
from notifications.emails import Storefront, data_uri, environment, texts, web_address
from shared.contracts import Language, Money


def render_page(page: Page) -> str:
    """The HTML of an order's page."""
    order, emails, locale = page.order.row, page.order.emails, page.format
    sentences = texts(page.language)
    t = {**sentences["account"], **sentences["rights"], **sentences["account_reminders"], **sentences["case"]}
    values = {
        "order_number": order["order_number"],
        "support": page.store.support,
        "email": masked(page.order.email),
        "most_files": MOST_FILES,
    }
    paid, valid_until, plan_ends_at = order["paid"], order["valid_until"], order["plan_ends_at"]
    receipt = order["receipt"]["ticket_url"] if order["receipt"] is not None else None
    template = environment("html").get_template("account.html.j2")
    return template.render(
        page=page,
        t={name: text.format(**values) if "{" in text and name not in _LATER else text for name, text in t.items()},
        common={"support": sentences["common"]["support"].format(**values)},
        qr=sentences["qr"],
        unpaid=sentences["unpaid"],
        status=status(order, emails),
        moving=is_in_progress(order, emails),
        returned=code_came_back(emails),
        entries=[(entry, locale.minute(entry.at)) for entry in timeline(order, emails, locale)],
        usage=usage(order, locale),
        plan=paid["plan"] if paid is not None else None,
        data=locale.volume(paid["plan"]["data_mb"]) if paid is not None else None,
        days=locale.days(paid["plan"]["validity_days"]) if paid is not None else None,
        paid=locale.money(Money.model_validate(paid["paid"])) if paid is not None else None,
        valid_until=locale.day(valid_until) if valid_until is not None else None,
        plan_ends=locale.day(plan_ends_at) if plan_ends_at is not None else None,
        receipt=web_address(receipt),
        picture=data_uri(page.shown.code.text) if page.shown is not None else None,
    )


def render_entry(
    storefront: str, store: Storefront, path: str, language: Language, *, said: str | None, find: bool = False
) -> str:
    """The page that sends a link to an order's mailbox. `said`: what became of its form; `find`: it asks whose."""
    template = environment("html").get_template("entry.html.j2")
    return template.render(
        language=language,
        t=texts(language)["entry"],
        storefront=storefront,
        store=store,
        path=path,
        said=said,
        find=find,
    )


def reader_language(accepted: str) -> Language:
    """The first language of `Accept-Language` that there are texts in; else English. Browsers send the best first."""
    for part in accepted.split(","):
        name = part.partition(";")[0].strip().partition("-")[0].lower()
        for language in get_args(Language):
            if name == language:
                return language  # type: ignore[no-any-return] # one of the literals
    return "en"


#: Sentences whose placeholders are filled in the template.
_LATER = frozenset({"usage_of", "usage_only", "usage_as_of", "due", "case_title"})


@cache
def stylesheet(accent: str) -> str:
    """The page's style sheet in a storefront's colour."""
    return f":root {{ --accent: {accent}; }}\n" + asset("account.css")


@cache
def asset(name: str) -> str:
    """A file that pages load."""
    return (files("notifications") / "assets" / name).read_text("utf-8")
