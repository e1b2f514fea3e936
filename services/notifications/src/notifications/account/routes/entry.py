"""The page that a shop's `account_url` leads to: it has a link to the order's page sent to the order's mailbox.

The address names an order and proves nothing (I14). So the page shows nothing of the order, and answers the same
whether there is such an order or not: only who reads the mailbox gets in.
"""

from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from notifications.account.context import Context
from notifications.account.rules.page import reader_language, render_entry
from notifications.pages import SAFE_HEADERS
from shared.account_entry import ENTRY_PATH, entry_path
from shared.values.opaque import Named, Reference

router = APIRouter(include_in_schema=False)


@router.api_route(ENTRY_PATH, methods=["GET", "HEAD"])
async def get_entry(
    storefront: Named,
    order_id: UUID,
    context: Context,
    accept_language: Annotated[str, Reference(1000), Header()] = "",
    said: Literal["link"] | None = None,
) -> Response:
    """The page with the button; `said`: it was pressed just now."""
    store = context.storefront(storefront)
    language = reader_language(accept_language)
    html = render_entry(storefront, store, entry_path(storefront, order_id), language, sent=said is not None)
    return HTMLResponse(html, headers=SAFE_HEADERS)


@router.post(ENTRY_PATH)
async def send_link(storefront: Named, order_id: UUID, context: Context) -> Response:
    """Send the link, within limits."""
    context.storefront(storefront)
    await context.store.send_link(storefront, order_id)
    return RedirectResponse(f"{entry_path(storefront, order_id)}?said=link", HTTPStatus.SEE_OTHER, headers=SAFE_HEADERS)
