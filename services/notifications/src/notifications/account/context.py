"""What the endpoints of the account page use. `app.py` stores it as `app.state.account`."""

import asyncio
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated
from urllib.parse import parse_qs, urlencode

from fastapi import Depends, Request
from fastapi.responses import RedirectResponse

from notifications.account.live import OrderFollowers
from notifications.account.rules.tickets import Tickets
from notifications.account.store import AccountStore
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

    def storefront(self, slug: str) -> Storefront:
        """Raises BadLinkError if there is no such storefront."""
        storefront = self.storefronts.get(slug)
        if storefront is None:
            raise BadLinkError("no such storefront")
        return storefront

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
    body = (await request.body()).decode("utf-8", "replace")
    try:
        fields = {name: values[0] for name, values in parse_qs(body, max_num_fields=10).items()}
    except ValueError:
        raise BadLinkError("not a form of this page") from None
    if not hmac.compare_digest(fields.get("form", "").encode(), context.links.form(token).encode()):
        raise BadLinkError("not a form of this page")
    await context.store.prove_mailbox(token)
    return fields


#: The fields of a form that this page rendered. Depending on it also proves the mailbox.
Form = Annotated[Mapping[str, str], Depends(_form)]


def back(token: str, **query: str) -> RedirectResponse:
    """Redirect to the account page."""
    return RedirectResponse(f"/account/{token}?{urlencode(query)}", HTTPStatus.SEE_OTHER, headers=SAFE_HEADERS)
