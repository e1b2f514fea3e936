"""The buyer's account page: an order behind a signed link, without a password.

Opening the page changes nothing: link previews and mail scanners open links too. The code appears, and counts as
delivered (PO 3.4), only when the page's own button is pressed.
"""

import asyncio
import hmac
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Literal
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse, StreamingResponse

from notifications.account.live import OrderFollowers, TooManyPagesError
from notifications.account.rules.page import Page, Prospect, Refunding, Shown, asset, render_page, stylesheet
from notifications.account.rules.rights import Rights, read_pending
from notifications.account.rules.rights import Said as SaidOfRights
from notifications.account.rules.timeline import is_moving
from notifications.account.store import AccountStore, Opened
from notifications.clients.ordering import OrderingClient
from notifications.clients.refunds import RefundsClient
from notifications.emails import (
    BadLinkError,
    Links,
    ProfileWithReceipt,
    Storefront,
    Words,
    said,
    texts,
    written,
)
from notifications.pages import SAFE_HEADERS, LinkToken
from shared.kernel.problems import Problem
from shared.sealed import Opener
from shared.values.activation_code import ActivationCode
from shared.values.opaque import Named
from shared.values.text import cleaned

Said = Literal["resent", "wait", "limit", "asked", "not_asked", "news"] | SaidOfRights
_PLAIN_ACCENT = "#374151"
_MOST_WORDS = 2000


@dataclass(frozen=True, slots=True)
class Desk:
    """What the page is made from."""

    accounts: AccountStore
    live: OrderFollowers
    links: Links
    opener: Opener
    storefronts: Mapping[str, Storefront]
    refunds: RefundsClient | None
    ordering: OrderingClient | None
    #: Set when the service stops: pages that follow are let go.
    leaving: asyncio.Event


def router(desk: Desk) -> APIRouter:
    """The routes below /account."""
    routes = APIRouter(prefix="/account", include_in_schema=False)

    @routes.get("/assets/{name}")
    async def assets(name: Named) -> Response:
        return _asset(desk, name)

    @routes.api_route("/{token}", methods=["GET", "HEAD"])
    async def page(
        token: LinkToken,
        request: Request,
        said: Said | None = None,
    ) -> Response:
        return await _page(desk, token, await desk.accounts.open(token), request, said=said)

    @routes.post("/{token}/code")
    async def code(token: LinkToken, request: Request) -> Response:
        await form(desk, token, request)
        opened, code = await desk.accounts.show(token)
        return await _page(desk, token, opened, request, code=code)

    @routes.post("/{token}/resend")
    async def resend(token: LinkToken, request: Request) -> Response:
        await form(desk, token, request)
        return _back(token, await desk.accounts.resend(token))

    @routes.post("/{token}/news")
    async def news(token: LinkToken, request: Request) -> Response:
        await form(desk, token, request)
        await desk.accounts.agree(token)
        return _back(token, "news")

    @routes.post("/{token}/refund")
    async def refund(token: LinkToken, request: Request) -> Response:
        fields = await form(desk, token, request)
        opened = await desk.accounts.open(token)
        return _back(token, "asked" if await _ask(desk, opened, fields, request) else "not_asked")

    @routes.get("/{token}/events")
    async def events(token: LinkToken, seen: Annotated[Named, Query(max_length=64)] = "") -> Response:
        opened = await desk.accounts.open(token)
        return StreamingResponse(
            _events(desk, token, opened, seen), media_type="text/event-stream", headers=SAFE_HEADERS
        )

    return routes


async def _events(desk: Desk, token: str, opened: Opened, seen: str) -> AsyncIterator[str]:
    yield "retry: 3000\n\n"
    if not is_moving(opened.order, opened.mails) and opened.state == seen:
        yield "event: settled\ndata: 1\n\n"
        return
    try:
        async with aclosing(desk.live.follow(opened.order_id, seen, desk.leaving)) as states:
            async for state in states:
                if state is None:
                    yield ": still here\n\n"
                    continue
                yield f"event: changed\ndata: {state}\n\n"
                now = await desk.accounts.open(token)
                if not is_moving(now.order, now.mails):
                    yield "event: settled\ndata: 1\n\n"
                    return
    except (TooManyPagesError, BadLinkError):
        yield "event: settled\ndata: 1\n\n"


async def _page(
    desk: Desk,
    token: str,
    opened: Opened,
    request: Request,
    *,
    code: ProfileWithReceipt | None = None,
    said: str | None = None,
) -> HTMLResponse:
    slug = str(opened.order["storefront"])
    store = desk.storefronts.get(slug)
    if store is None:
        raise BadLinkError("no such storefront")
    language = written(opened.contact.language)
    shown = _opened(desk.opener, code) if code is not None else None
    content = Page(
        storefront=slug,
        store=store,
        language=language,
        words=Words(language, ZoneInfo(store.time_zone)),
        path=f"/account/{token}",
        form=desk.links.form(token),
        state=opened.state,
        order=opened.order,
        mails=opened.mails,
        email=opened.contact.email,
        has_code=opened.has_code,
        shown=shown,
        refunding=await _refunding(desk, opened, request),
        rights=_rights(desk, opened, request),
        news=opened.news,
        said=said,
    )
    html = await asyncio.to_thread(render_page, content)
    return HTMLResponse(html, headers=SAFE_HEADERS)


def _opened(opener: Opener, code: ProfileWithReceipt) -> Shown:
    secret = code.confirmation_code
    return Shown(
        ActivationCode.parse(opener.open(code.activation_code).decode("utf-8", "replace")),
        None if secret is None else opener.open(secret).decode("utf-8", "replace"),
        code.iccid,
        code.apn,
    )


async def _refunding(desk: Desk, opened: Opened, request: Request) -> Refunding | None:
    slug = str(opened.order["storefront"])
    if desk.refunds is None or not desk.refunds.serves(slug) or opened.order["paid"] is None:
        return None
    found = await desk.refunds.eligibility(slug, opened.order_id, request.state.trace)
    if found is None:
        return Refunding("away")
    if found.status != "open":
        return Refunding("done") if found.status == "refunded" else None
    language = written(opened.contact.language)
    known = texts(language)["account"]
    return Refunding(
        "open",
        tuple(
            Prospect(one.reason, said(one.explanation, language))
            for one in found.answers
            if f"reason_{one.reason}" in known
        ),
    )


def _rights(desk: Desk, opened: Opened, request: Request) -> Rights | None:
    if desk.ordering is None or not desk.ordering.serves(str(opened.order["storefront"])):
        return None
    return Rights(read_pending(request.query_params), request.query_params.get("export"), opened.blocked)


async def _ask(desk: Desk, opened: Opened, fields: Mapping[str, str], request: Request) -> bool:
    """What we hold ourselves is given: name, e-mail and payment date are known of this order, and stay here."""
    slug = str(opened.order["storefront"])
    reason = fields.get("reason", "")
    if desk.refunds is None or not desk.refunds.serves(slug) or f"reason_{reason}" not in texts("en")["account"]:
        return False
    provided = ("email", "full_name", "payment_date")
    words = cleaned(fields.get("words"), _MOST_WORDS, lines=True)
    return await desk.refunds.ask(slug, opened.order_id, reason, words, provided, request.state.trace)


async def form(desk: Desk, token: str, request: Request) -> Mapping[str, str]:
    """The fields of a form of the page itself: it was pressed by who reads the mailbox. Raises BadLinkError, Problem
    (413).
    """
    body = (await request.body()).decode("utf-8", "replace")
    try:
        fields = {name: values[0] for name, values in parse_qs(body, max_num_fields=10).items()}
    except ValueError:
        raise BadLinkError("not a form of this page") from None
    if not hmac.compare_digest(fields.get("form", "").encode(), desk.links.form(token).encode()):
        raise BadLinkError("not a form of this page")
    await desk.accounts.used(token)
    return fields


def _back(token: str, said: str) -> RedirectResponse:
    return RedirectResponse(f"/account/{token}?said={said}", HTTPStatus.SEE_OTHER, headers=SAFE_HEADERS)


def _asset(desk: Desk, name: str) -> Response:
    headers = {"cache-control": "public, max-age=300", "x-content-type-options": "nosniff"}
    if name == "live.js":
        return Response(asset(name), media_type="text/javascript; charset=utf-8", headers=headers)
    slug, _, kind = name.rpartition(".")
    store = desk.storefronts.get(slug)
    if kind != "css" or (store is None and slug != "plain"):
        raise Problem(HTTPStatus.NOT_FOUND, "not-found", "There is no such file.")
    accent = store.accent if store is not None else _PLAIN_ACCENT
    return Response(stylesheet(accent), media_type="text/css; charset=utf-8", headers=headers)
