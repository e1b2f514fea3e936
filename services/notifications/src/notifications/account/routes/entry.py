"""The pages that send a link to an order's page to the order's mailbox: of one order, or found by the mailbox.

The first is where a shop's `account_url` leads to. An address names an order, or a mailbox, and proves nothing (I14).
So these pages show nothing of any order, and answer the same whether there is one or not: only who reads the mailbox
gets in.
"""

from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from notifications.account.context import Context
from notifications.account.rules.page import reader_language, render_entry
from notifications.account.uploads import read_form
from notifications.pages import SAFE_HEADERS
from shared.account_entry import ENTRY_PATH, entry_path
from shared.values.email_address import Email
from shared.values.opaque import Named, Reference
from shared.values.refusal import InvalidValueError

router = APIRouter(include_in_schema=False)
FIND_PATH = "/account/orders/{storefront}"


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
    html = render_entry(storefront, store, entry_path(storefront, order_id), language, said=said)
    return HTMLResponse(html, headers=SAFE_HEADERS)


@router.post(ENTRY_PATH)
async def send_link(storefront: Named, order_id: UUID, context: Context) -> Response:
    """Send the link, within limits."""
    context.storefront(storefront)
    await context.store.send_link(storefront, order_id)
    return RedirectResponse(f"{entry_path(storefront, order_id)}?said=link", HTTPStatus.SEE_OTHER, headers=SAFE_HEADERS)


@router.api_route(FIND_PATH, methods=["GET", "HEAD"])
async def get_find(
    storefront: Named,
    context: Context,
    accept_language: Annotated[str, Reference(1000), Header()] = "",
    said: Literal["link", "wrong_email"] | None = None,
) -> Response:
    """The page with a field for the address of an order; `said`: what became of the form that was sent just now."""
    store = context.storefront(storefront)
    html = render_entry(
        storefront,
        store,
        FIND_PATH.format(storefront=storefront),
        reader_language(accept_language),
        said=said,
        find=True,
    )
    return HTMLResponse(html, headers=SAFE_HEADERS)


@router.post(FIND_PATH)
async def find_orders(storefront: Named, request: Request, context: Context) -> Response:
    """Send links to the newest orders of the mailbox that was named, within limits."""
    context.storefront(storefront)
    fields = (await read_form(request)).fields
    try:
        mailbox = Email.parse(fields.get("email", "").strip()).key
    except InvalidValueError:
        said = "wrong_email"
    else:
        said = "link"
        await context.store.send_links(storefront, mailbox)
    path = FIND_PATH.format(storefront=storefront)
    return RedirectResponse(f"{path}?said={said}", HTTPStatus.SEE_OTHER, headers=SAFE_HEADERS)
