"""Newsletters (PP 4.6): a shop or an agent has one sent, reads its progress, stops it; readers unsubscribe.

Unsubscribing takes one click without signing in (RFC 8058). Opening its page changes nothing, because mail scanners
open links too; the page's button does, and the mail program's own button.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import parse_qs
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Request, Security
from fastapi.responses import HTMLResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer, SecurityScopes
from pydantic import BaseModel, ConfigDict, Field

from notifications.delivery import is_off, switch_off, switch_on
from notifications.emails import Links, Storefront, Unsubscribed, environment, texts, written
from notifications.newsletters import store
from notifications.newsletters.models import Newsletter, NewsletterText
from notifications.pages import SAFE_HEADERS, LinkToken, render_bad_link
from shared.contracts import Language
from shared.database import Database
from shared.ids import uuid_for
from shared.kernel.auth import ApiKeys
from shared.kernel.problems import Problem
from shared.keys.callers import calling_shop
from shared.keys.shop_keys import ShopKeys
from shared.values.opaque import Named
from shared.values.text import Line, Lines

router = APIRouter(prefix="/newsletters", tags=["newsletters"])
unsubscribe_router = APIRouter(include_in_schema=False)
_MAX_TEXT = 50_000
Subject = Annotated[str, Line(150)]
Text = Annotated[str, Lines(_MAX_TEXT)]


@dataclass(frozen=True, slots=True)
class NewsletterContext:
    """What these endpoints use. `app.py` stores it as `app.state.newsletters`."""

    database: Database
    links: Links
    storefronts: Mapping[str, Storefront]
    shop_keys: ShopKeys
    agent_keys: ApiKeys


@dataclass(frozen=True, slots=True)
class Author:
    """Who has a newsletter sent: an agent for any storefront (`storefront` is None), a shop to its own buyers."""

    name: str
    storefront: str | None


class Words(BaseModel):
    """A newsletter in one language. `text` is CommonMark; HTML in it is escaped, pictures are left out."""

    model_config = ConfigDict(extra="forbid")

    subject: Subject
    text: Text


class Wanted(BaseModel):
    """A newsletter to all buyers of a storefront who agreed and read one of these languages."""

    model_config = ConfigDict(extra="forbid")

    storefront: Named
    letters: dict[Language, Words] = Field(min_length=1)


async def _context(request: Request) -> NewsletterContext:
    context: NewsletterContext = request.app.state.newsletters
    return context


Context = Annotated[NewsletterContext, Depends(_context)]
#: The schemes describe the two kinds of key in OpenAPI; `ApiKeys` reads the header itself.
_ShopScheme = Annotated[
    HTTPAuthorizationCredentials | None, Security(HTTPBearer(scheme_name="storefront", auto_error=False))
]
_AgentScheme = Annotated[
    HTTPAuthorizationCredentials | None, Security(HTTPBearer(scheme_name="agent", auto_error=False))
]


async def _author(
    request: Request, needed: SecurityScopes, context: Context, _shop: _ShopScheme, _agent: _AgentScheme
) -> Author:
    """Raises Problem (401, 403)."""
    header = request.headers.get("authorization")
    if (name := context.agent_keys.known(header)) is not None:
        return Author(f"agent {name}", None)
    slug = (await calling_shop(context.shop_keys, request, needed.scopes)).storefront
    return Author(f"storefront {slug}", slug)


#: A shop needs a key that may write; progress is read with the key that had the newsletter sent.
CallingAuthor = Annotated[Author, Security(_author, scopes=["orders:write"])]


@router.post("", status_code=HTTPStatus.ACCEPTED)
async def send(
    body: Wanted, idempotency_key: Annotated[str, Line(100), Header()], context: Context, author: CallingAuthor
) -> dict[str, Any]:
    """Have it sent; the same key and body again is the same newsletter. 422: the key was used for another.

    429: a shop has had 20 within 24 hours.
    """
    if author.storefront not in {None, body.storefront}:
        raise Problem(HTTPStatus.FORBIDDEN, "other-storefront", "A storefront writes to its own buyers only.")
    if body.storefront not in context.storefronts:
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "unknown-storefront", "There is no such storefront.")
    newsletter_id = uuid_for("newsletter", body.storefront, idempotency_key)
    contents: dict[str, NewsletterText] = {
        language: NewsletterText(words.subject, words.text) for language, words in body.letters.items()
    }
    async with context.database.transaction("http") as tx:
        if author.storefront is not None:
            await store.check_limit(tx, newsletter_id, body.storefront)
        if not await store.create(tx, newsletter_id, body.storefront, author.name, contents):
            raise Problem(
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                "This Idempotency-Key stands for another newsletter; send this one under a key of its own.",
            )
        return await store.progress(tx, newsletter_id)


@router.get("/{newsletter_id}")
async def progress(newsletter_id: UUID, context: Context, author: CallingAuthor) -> dict[str, Any]:
    """How many are planned, sent, skipped (unsubscribed, blocked, one a day), failed, unknown, left."""
    async with context.database.reading() as tx:
        _check_owner(author, await store.find(tx, newsletter_id))
        return await store.progress(tx, newsletter_id)


@router.delete("/{newsletter_id}")
async def stop(newsletter_id: UUID, context: Context, author: CallingAuthor) -> dict[str, Any]:
    """Send it to nobody else."""
    async with context.database.transaction("http") as tx:
        _check_owner(author, await store.find(tx, newsletter_id))
        await store.stop(tx, newsletter_id)
        return await store.progress(tx, newsletter_id)


def _check_owner(author: Author, newsletter: Newsletter | None) -> None:
    """Raises Problem (404) if there is no such newsletter, or it is another storefront's."""
    if newsletter is None or author.storefront not in {None, newsletter.storefront}:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-newsletter", "There is no such newsletter.")


@unsubscribe_router.get("/unsubscribe/{token}")
async def unsubscribe_page(token: LinkToken, context: Context, what: Unsubscribed = "news") -> HTMLResponse:
    """The page with the button, for newsletters or for reminders. Raises BadLinkError."""
    return await _unsubscribe_page(context, context.links.unsubscriber(token), token, what)


@unsubscribe_router.post("/unsubscribe/{token}")
async def unsubscribe(
    token: LinkToken, request: Request, context: Context, what: Unsubscribed = "news"
) -> HTMLResponse:
    """Unsubscribe, or subscribe again (`again` in the form). Raises BadLinkError."""
    buyer = context.links.unsubscriber(token)
    again = "again" in parse_qs((await request.body()).decode("utf-8", "replace"))
    async with context.database.transaction("http") as tx:
        if what == "reminders":
            await (switch_on if again else switch_off)(tx, buyer)
        elif again:
            await store.unsuppress(tx, buyer)
        else:
            await store.suppress(tx, [buyer], "unsubscribed")
    return await _unsubscribe_page(context, buyer, token, what)


async def _unsubscribe_page(context: NewsletterContext, buyer: UUID, token: str, what: Unsubscribed) -> HTMLResponse:
    async with context.database.reading() as tx:
        reader = await store.reader(tx, buyer)
        done = reader is not None and (await is_off(tx, buyer) if what == "reminders" else reader.suppressed)
    storefront = context.storefronts.get(reader.storefront or "") if reader is not None else None
    if reader is None or storefront is None:
        return HTMLResponse(render_bad_link("gone"), headers=SAFE_HEADERS)
    language = written(reader.language)
    template = environment("html").get_template("unsubscribe.html.j2")
    html = template.render(
        language=language,
        t=texts(language)["reminders" if what == "reminders" else "newsletter"],
        state="done" if done else "ask",
        store=storefront,
        storefront=reader.storefront,
        path=f"/unsubscribe/{token}" + ("?what=reminders" if what == "reminders" else ""),
    )
    return HTMLResponse(html, headers=SAFE_HEADERS)
