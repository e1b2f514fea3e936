"""The account page's forms for the buyer's rights: contact data (PP 6.1), export, block and erasure (PP 6.2).

Every one of them is confirmed by a code that ordering has sent; this service knows neither the code nor whether it is
right. The page of an erasure has an address of its own, because the account page is gone when it is done.
"""

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Path, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from notifications.account.routes.page import Desk, form
from notifications.account.rules.rights import (
    CODE_STILL_GOOD,
    Pending,
    Purpose,
    Refusal,
    read_pending,
    render_moved,
    render_proof,
)
from notifications.account.rules.tickets import Ticket, Tickets
from notifications.account.store import Opened
from notifications.clients.ordering import OrderingClient, Sent
from notifications.emails import BadLinkError, Storefront, Words, written
from notifications.pages import SAFE_HEADERS, LinkToken
from shared.clock import Clock
from shared.values.opaque import Named

TicketText = Annotated[Named, Path(max_length=200)]
_LIFE = {"export": timedelta(days=1), "erase": timedelta(days=3653)}
#: Ordering's page brings its own style, and nothing else.
_STYLED = {
    **SAFE_HEADERS,
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}
_EXPORTED = {
    "page": ("text/html", _STYLED),
    "file": ("application/json", {**SAFE_HEADERS, "content-disposition": 'attachment; filename="my-data.json"'}),
}
_DATA = frozenset({"export", "block", "unblock", "erase"})


@dataclass(frozen=True, slots=True)
class Window:
    """What these routes work with."""

    desk: Desk
    tickets: Tickets
    ordering: OrderingClient
    clock: Clock

    def store(self, slug: str) -> Storefront:
        """Raises BadLinkError."""
        store = self.desk.storefronts.get(slug)
        if store is None:
            raise BadLinkError("no such storefront")
        return store

    def slug(self, opened: Opened) -> str:
        """The storefront of an order that these forms are offered for. Raises BadLinkError."""
        slug = str(opened.order["storefront"])
        self.store(slug)
        if not self.ordering.serves(slug):
            raise BadLinkError("not a form of this page")
        return slug

    def done(self, token: str, opened: Opened, pending: Pending) -> Response:
        """Where the buyer gets to after the right code."""
        slug, language = str(opened.order["storefront"]), written(opened.contact.language)
        match pending.purpose:
            case "email":
                number = str(opened.order["order_number"])
                return HTMLResponse(render_moved(slug, self.store(slug), number, language), headers=SAFE_HEADERS)
            case "phone":
                return _back(token, said="corrected")
            case "block":
                return _back(token, said="blocked")
            case "unblock":
                return _back(token, said="unblocked")
            case "export" | "erase" as kind:
                ticket = Ticket(pending.confirmation_id, kind, slug, language)
                text = self.tickets.make(ticket, self.clock.now() + _LIFE[kind])
        if kind == "export":
            return _back(token, said="export", export=text)
        return RedirectResponse(f"/account/erasures/{text}", HTTPStatus.SEE_OTHER, headers=SAFE_HEADERS)


def router(desk: Desk, tickets: Tickets, ordering: OrderingClient, clock: Clock) -> APIRouter:
    """The routes below /account; the forms lead back to the page, which says what came of them."""
    window = Window(desk, tickets, ordering, clock)
    routes = APIRouter(prefix="/account", include_in_schema=False)
    # First those whose path no token may take.
    routes.include_router(_proof(window))
    routes.include_router(_forms(window))
    routes.include_router(_export(window))
    return routes


def _proof(window: Window) -> APIRouter:
    routes = APIRouter()

    @routes.get("/erasures/{ticket}")
    async def proof(ticket: TicketText, request: Request) -> Response:
        found = window.tickets.read(ticket, "erase", window.clock.now())
        store = window.store(found.storefront)
        said = None
        if window.ordering.serves(found.storefront):
            said = await window.ordering.proof(found.storefront, found.request_id, request.state.trace)
        words = Words(found.language, ZoneInfo(store.time_zone))
        return HTMLResponse(render_proof(said, found.storefront, store, words), headers=SAFE_HEADERS)

    return routes


def _forms(window: Window) -> APIRouter:
    routes = APIRouter()
    desk, ordering = window.desk, window.ordering

    @routes.post("/{token}/contact")
    async def contact(token: LinkToken, request: Request) -> Response:
        fields = await form(desk, token, request)
        opened = await desk.accounts.open(token)
        changes = {name: fields[name].strip() for name in ("email", "phone") if fields.get(name, "").strip()}
        sent = await ordering.correct(window.slug(opened), opened.order_id, changes, request.state.trace)
        return _asked(token, sent, "email" if "email" in changes else "phone")

    @routes.post("/{token}/data")
    async def data(token: LinkToken, request: Request) -> Response:
        fields = await form(desk, token, request)
        opened = await desk.accounts.open(token)
        kind = fields.get("kind")
        if kind not in _DATA:
            raise BadLinkError("not a form of this page")
        sent = await ordering.request(window.slug(opened), opened.order_id, kind, request.state.trace)
        return _asked(token, sent, kind)  # type: ignore[arg-type] # just checked

    @routes.post("/{token}/confirm")
    async def confirm(token: LinkToken, request: Request) -> Response:
        fields = await form(desk, token, request)
        opened = await desk.accounts.open(token)
        pending = read_pending(fields)
        if pending is None:
            raise BadLinkError("not a form of this page")
        slug = window.slug(opened)
        digits = "".join(fields.get("code", "").split())
        refusal = await ordering.confirm(slug, pending.confirmation_id, digits, request.state.trace)
        if refusal is None:
            return window.done(token, opened, pending)
        return _back(token, said=refusal, **(pending.query if refusal in CODE_STILL_GOOD else {}))

    return routes


def _export(window: Window) -> APIRouter:
    routes = APIRouter()

    @routes.get("/{token}/export/{ticket}")
    async def export(
        token: LinkToken, ticket: TicketText, request: Request, form: Literal["page", "file"] = "page"
    ) -> Response:
        """The account's link and the ticket together: whoever finds one of them alone has nothing."""
        opened = await window.desk.accounts.open(token)
        found = window.tickets.read(ticket, "export", window.clock.now())
        slug = window.slug(opened)
        if found.storefront != slug:
            raise BadLinkError("the ticket is another shop's")
        media_type, headers = _EXPORTED[form]
        held = await window.ordering.export(slug, found.request_id, request.state.trace, media_type=media_type)
        if held is None:
            return _back(token, said="not_now", export=ticket)
        return Response(held, media_type=f"{media_type}; charset=utf-8", headers=headers)

    return routes


def _asked(token: str, sent: Sent | Refusal, purpose: Purpose) -> Response:
    """Back to the page: to enter the code, or to hear why none was sent."""
    if not isinstance(sent, Sent):
        return _back(token, said=sent)
    return _back(token, **Pending(sent.confirmation_id, purpose, sent.sent_by).query)


def _back(token: str, **query: str) -> RedirectResponse:
    return RedirectResponse(f"/account/{token}?{urlencode(query)}", HTTPStatus.SEE_OTHER, headers=SAFE_HEADERS)
