"""What the endpoints of the account page use. `app.py` stores it as `app.state.account`."""

import asyncio
import hmac
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Depends, Request
from fastapi.responses import RedirectResponse

from notifications.account.live import OrderFollowers
from notifications.account.rules.tickets import Tickets
from notifications.account.store import AccountStore
from notifications.account.uploads import UploadForm, read_form
from notifications.clients.ordering import OrderingClient
from notifications.clients.refunds import RefundsClient
from notifications.emails import BadLinkError, Links, Storefront
from notifications.pages import SAFE_HEADERS, LinkToken
from shared.clock import Clock
from shared.sealed import Opener


@dataclass(frozen=True, slots=True)
class AccountContext:
    """The stores, clients and keys behind the account page."""

    store: AccountStore
    followers: OrderFollowers
    links: Links
    tickets: Tickets
    opener: Opener
    storefronts: Mapping[str, Storefront]
    refunds: RefundsClient | None
    ordering: OrderingClient | None
    clock: Clock
    #: Set when the service stops: event streams end then.
    leaving: asyncio.Event
    #: Limits how many forms with files are in memory at once.
    reading: asyncio.Semaphore

    def storefront(self, slug: str) -> Storefront:
        """Raises BadLinkError if there is no such storefront."""
        storefront = self.storefronts.get(slug)
        if storefront is None:
            raise BadLinkError("no such storefront")
        return storefront

    def refunds_for(self, slug: str) -> RefundsClient:
        """The client of refunds for this storefront. Raises BadLinkError if the page has no such forms."""
        self.storefront(slug)
        if self.refunds is None or not self.refunds.serves(slug):
            raise BadLinkError("not a form of this page")
        return self.refunds

    def ordering_for(self, slug: str) -> OrderingClient:
        """The client of ordering for this storefront. Raises BadLinkError if the page has no such forms."""
        self.storefront(slug)
        if self.ordering is None or not self.ordering.serves(slug):
            raise BadLinkError("not a form of this page")
        return self.ordering


async def _context(request: Request) -> AccountContext:
    context: AccountContext = request.app.state.account
    return context


Context = Annotated[AccountContext, Depends(_context)]


async def _form(token: LinkToken, request: Request, context: Context) -> Mapping[str, str]:
    """The fields of a form of the page itself. Its sender reads the mailbox that the link was sent to.

    Raises BadLinkError, and Problem (413) for a body that is too large.
    """
    fields = (await read_form(request)).fields
    await _check(token, fields, context)
    return fields


async def _upload(token: LinkToken, request: Request, context: Context) -> AsyncIterator[UploadForm]:
    """A form of the page itself that may hold files; the link is checked before anything is read.

    Raises BadLinkError, and Problem (413) for a body that is too large.
    """
    await context.store.open(token)
    async with context.reading:
        form = await read_form(request)
        await _check(token, form.fields, context)
        yield form


async def _check(token: str, fields: Mapping[str, str], context: AccountContext) -> None:
    """Check the value that only the page has, and prove the mailbox. Raises BadLinkError."""
    if not hmac.compare_digest(fields.get("form", "").encode(), context.links.form(token).encode()):
        raise BadLinkError("not a form of this page")
    await context.store.prove_mailbox(token)


#: As `Form`, for forms with files.
Upload = Annotated[UploadForm, Depends(_upload)]
#: The fields of a form that this page rendered. Depending on it also proves the mailbox.
Form = Annotated[Mapping[str, str], Depends(_form)]


def back(token: str, **query: str) -> RedirectResponse:
    """Redirect to the account page."""
    return RedirectResponse(f"/account/{token}?{urlencode(query)}", HTTPStatus.SEE_OTHER, headers=SAFE_HEADERS)
