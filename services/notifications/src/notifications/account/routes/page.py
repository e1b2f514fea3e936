"""The account page of an order: reached by a signed link, without a password.

Opening the page changes nothing, because link previews and mail scanners open links too. The code appears, and counts
as delivered (PO 3.4), only when the page's own button is pressed.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from http import HTTPStatus
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse

from notifications.account.cases import refund_section
from notifications.account.context import AccountContext, Context, Form, back
from notifications.account.live import TooManyPagesError
from notifications.account.models import (
    AccountOrder,
    FileNotice,
    Notice,
    Page,
    RefundSection,
    RightsSection,
    ShownCode,
    UnpaidSection,
)
from notifications.account.rules.page import asset, render_page, stylesheet
from notifications.account.rules.rights import read_pending
from notifications.account.rules.timeline import is_in_progress
from notifications.account.unpaid import unpaid_section
from notifications.delivery import open_code
from notifications.emails import BadLinkError, LocaleFormat, ProfileWithReceipt, Storefront, written
from notifications.pages import SAFE_HEADERS, LinkToken
from shared.kernel.dependencies import RequestTrace
from shared.kernel.problems import Problem
from shared.outcomes import Done
from shared.sealed import Opener
from shared.values.opaque import Named

router = APIRouter(prefix="/account", include_in_schema=False)
_PLAIN_ACCENT = "#374151"


@router.get("/assets/{name}")
async def get_asset(name: Named, context: Context) -> Response:
    """A style sheet or script of the page. Raises Problem (404)."""
    headers = {"cache-control": "public, max-age=300", "x-content-type-options": "nosniff"}
    if name == "live.js":
        return Response(asset(name), media_type="text/javascript; charset=utf-8", headers=headers)
    slug, _, kind = name.rpartition(".")
    storefront = context.storefronts.get(slug)
    if kind != "css" or (storefront is None and slug != "plain"):
        raise Problem(HTTPStatus.NOT_FOUND, "not-found", "There is no such file.")
    accent = storefront.accent if storefront is not None else _PLAIN_ACCENT
    return Response(stylesheet(accent), media_type="text/css; charset=utf-8", headers=headers)


@router.api_route("/{token}", methods=["GET", "HEAD"])
async def get_page(
    token: LinkToken,
    request: Request,
    context: Context,
    trace: RequestTrace,
    said: Notice | None = None,
    file: FileNotice | None = None,
) -> Response:
    """The page. `said` is the notice about the form that was sent just now, `file` that about its files."""
    order = await context.store.open(token)
    return await _page(context, token, order, request, trace, notices=tuple(filter(None, (said, file))))


@router.post("/{token}/code")
async def show_code(token: LinkToken, request: Request, context: Context, trace: RequestTrace, _form: Form) -> Response:
    """The page with the activation code. The first time is a delivery."""
    order, profile = await context.store.show_code(token)
    shown = _open(context.opener, profile) if profile is not None else None
    return await _page(context, token, order, request, trace, shown=shown)


@router.post("/{token}/resend")
async def resend(token: LinkToken, context: Context, _form: Form) -> Response:
    """Send the email with the code again."""
    return back(token, said=await context.store.resend(token))


@router.post("/{token}/news")
async def agree_to_newsletters(token: LinkToken, context: Context, _form: Form) -> Response:
    """Agree to newsletters."""
    await context.store.agree_to_newsletters(token)
    return back(token, said="news")


@router.post("/{token}/reminders")
async def switch_reminders(token: LinkToken, context: Context, fields: Form) -> Response:
    """Switch reminders about eSIMs on (`on` in the form) or off."""
    on = "on" in fields
    await context.store.switch_reminders(token, on=on)
    return back(token, said="reminders_on" if on else "reminders_off")


@router.get("/{token}/events")
async def events(token: LinkToken, context: Context, seen: Annotated[Named, Query(max_length=64)] = "") -> Response:
    """Server-sent events while the order is in progress. `seen` is the state that the page shows."""
    order = await context.store.open(token)
    stream = _events(context, token, order, seen)
    return StreamingResponse(stream, media_type="text/event-stream", headers=SAFE_HEADERS)


async def _events(context: AccountContext, token: str, order: AccountOrder, seen: str) -> AsyncIterator[str]:
    yield "retry: 3000\n\n"
    if not is_in_progress(order.row, order.emails) and order.state == seen:
        yield "event: settled\ndata: 1\n\n"
        return
    try:
        async with aclosing(context.followers.follow(order.order_id, seen, context.leaving)) as states:
            async for state in states:
                if state is None:
                    yield ": still here\n\n"
                    continue
                yield f"event: changed\ndata: {state}\n\n"
                now = await context.store.open(token)
                if not is_in_progress(now.row, now.emails):
                    yield "event: settled\ndata: 1\n\n"
                    return
    except (TooManyPagesError, BadLinkError):
        yield "event: settled\ndata: 1\n\n"


async def _page(
    context: AccountContext,
    token: str,
    order: AccountOrder,
    request: Request,
    trace: str | None,
    *,
    shown: ShownCode | None = None,
    notices: tuple[str, ...] = (),
) -> HTMLResponse:
    storefront = context.storefront(order.storefront)
    language = written(order.language)
    locale = LocaleFormat(language, ZoneInfo(storefront.time_zone))
    refund, unpaid = await asyncio.gather(
        _refund_section(context, order, locale, trace), _unpaid_section(context, order, storefront, locale, trace)
    )
    page = Page(
        storefront=order.storefront,
        store=storefront,
        language=language,
        format=locale,
        path=f"/account/{token}",
        form=context.links.form(token),
        order=order,
        shown=shown,
        refund=refund,
        unpaid=unpaid,
        rights=_rights_section(context, order, request),
        notices=notices,
    )
    html = await asyncio.to_thread(render_page, page)
    return HTMLResponse(html, headers=SAFE_HEADERS)


def _open(opener: Opener, profile: ProfileWithReceipt) -> ShownCode:
    code, confirmation_code = open_code(opener, profile)
    return ShownCode(code, confirmation_code, profile.iccid, profile.apn)


async def _refund_section(
    context: AccountContext, order: AccountOrder, locale: LocaleFormat, trace: str | None
) -> RefundSection | None:
    if context.refunds is None or not context.refunds.serves(order.storefront) or order.row["paid"] is None:
        return None
    outcome = await context.refunds.eligibility(order.storefront, order.order_id, trace)
    if not isinstance(outcome, Done):
        return RefundSection("away")
    return refund_section(outcome.value, locale)


async def _unpaid_section(
    context: AccountContext, order: AccountOrder, storefront: Storefront, locale: LocaleFormat, trace: str | None
) -> UnpaidSection | None:
    if context.ordering is None or not context.ordering.serves(order.storefront):
        return None
    outcome = await context.ordering.orders_of(order.storefront, order.email, trace)
    if not isinstance(outcome, Done):
        return UnpaidSection("away")
    return unpaid_section(outcome.value.orders, order.order_id, storefront, locale, context.clock.now())


def _rights_section(context: AccountContext, order: AccountOrder, request: Request) -> RightsSection | None:
    if context.ordering is None or not context.ordering.serves(order.storefront):
        return None
    return RightsSection(read_pending(request.query_params), request.query_params.get("export"), order.blocked)
