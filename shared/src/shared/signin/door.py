"""The sign-in page itself, and what happens when somebody has come in, was refused, or goes."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from shared.database import Database, Tx
from shared.signin.rendering import Pages, redirect
from shared.signin.sessions import Session, Sessions, failed, must_wait

_FORM_LASTS = timedelta(hours=1)

_LONGEST = 200


@dataclass(slots=True, frozen=True)
class Refusal:
    """A sign-in that failed.

    `who`: `<kind>:<name>` where there is an account of that name, or the provider vouches for it. `typed`: otherwise
    what was given for a name, a stranger's words and perhaps a password: never to be kept as it is.
    """

    who: str | None
    typed: str
    means: str
    why: str


async def _untold(*_told: Any) -> None:
    """Of a service whose audit trail does not tell of it."""


@dataclass(slots=True, frozen=True)
class Journal:
    """Writes into a service's audit trail, in the transaction that does what it tells of.

    `signed_in`: who came in, by which means (`password` or `openid`). `refused` is told no more often than attempts
    are allowed: of a name or an address that has to wait, nothing.
    """

    signed_in: Callable[[Tx, str, str], Awaitable[None]]
    refused: Callable[[Tx, Refusal], Awaitable[None]] = _untold
    signed_out: Callable[[Tx, str], Awaitable[None]] = _untold


class Door:
    """Shows the page and begins sessions. `openid`: people sign in at their organisation, and only there."""

    def __init__(self, database: Database, pages: Pages, sessions: Sessions, journal: Journal, *, openid: bool) -> None:
        self.database = database
        self.pages = pages
        self.site = pages.site
        self.sessions = sessions
        self.openid = openid
        self.form_cookie = f"{self.site.name}_sign_in"
        self._journal = journal

    def form(self, status: HTTPStatus = HTTPStatus.OK, wrong: str | None = None, name: str = "") -> Response:
        """The page. Its form works in the browser that was given it."""
        token = secrets.token_urlsafe(24)
        response = self.pages.page(
            "sign_in", status, token=token, wrong=wrong, name=name, openid=self.openid, session=None
        )
        self.sessions.set_cookie(response, self.form_cookie, token, _FORM_LASTS)
        return response

    async def enter(self, name: str, role: str, means: str) -> Response:
        """Begin a session and go to the first page."""
        who = f"{self.site.kind}:{name}"
        response = redirect(self.site.home)
        async with self.database.transaction() as tx:
            await self.sessions.begin(tx, response, who, role)
            await self._journal.signed_in(tx, who, means)
        self.sessions.drop_cookie(response, self.form_cookie)
        return response

    async def wrong_password(self, tx: Tx, name: str, address: str, *, known: bool) -> None:
        """Remember a failure, for the audit trail and for the next attempt. `known`: there is such an account."""
        await failed(tx, address, name)
        who = f"{self.site.kind}:{name}" if known else None
        await self._journal.refused(tx, Refusal(who, "" if known else name, "password", "wrong name or password"))

    async def not_confirmed(self, request: Request, why: str, name: str | None = None) -> Response:
        """The provider signs nobody in. `name`: whom it vouches for all the same; they have no role here."""
        address = address_of(request)
        known = name is not None and name.isprintable() and len(name) <= _LONGEST
        who = f"{self.site.kind}:{name}" if known else None
        async with self.database.transaction() as tx:
            # Whoever has to wait may come in all the same, for the provider has its own patience; it is not written.
            if not await must_wait(tx, address):
                await failed(tx, address)
                await self._journal.refused(tx, Refusal(who, "" if known else name or "", "openid", why))
        return self.form(HTTPStatus.FORBIDDEN, why)

    async def leave(self, request: Request, response: Response, session: Session) -> None:
        """End a session."""
        async with self.database.transaction() as tx:
            if await self.sessions.end(tx, request, response):
                await self._journal.signed_out(tx, session.who)


def address_of(request: Request) -> str:
    """Where a request comes from."""
    return request.client.host if request.client else "unknown"
