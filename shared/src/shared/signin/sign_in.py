"""The sign-in page; begins sessions after a password or an OpenID sign-in, ends them, and writes the audit trail."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from shared.database import Database, Tx
from shared.signin.accounts import Verified, confirm, disabled, exists, password_hash_of
from shared.signin.limits import Attempt, forget, reserve
from shared.signin.oidc import Person
from shared.signin.passwords import matches
from shared.signin.rendering import Pages, redirect
from shared.signin.sessions import Session, Sessions
from shared.values.client_address import ClientAddress

_FORM_LASTS = timedelta(hours=1)

_LONGEST = 200
#: Sign-ins by password at the same time in one instance; hashing takes a tenth of a second of a core each.
_MOST_AT_ONCE = 32


@dataclass(slots=True, frozen=True)
class Refusal:
    """A sign-in that failed.

    `who`: `<kind>:<name>` where there is an account of that name, or the provider confirms it. `typed`: otherwise the
    text that was entered as a name. It may be a password: never store it as it is.
    """

    who: str | None
    typed: str
    means: str
    why: str


class TooManyAttemptsError(Exception):
    """The name, the address or the browser has used its attempts of the last 15 minutes."""


class TooManyPeopleError(Exception):
    """The maximum number of people is signing in at this moment."""


async def _not_recorded(*_event: Any) -> None:
    """For events that a service's audit trail leaves out."""


@dataclass(slots=True, frozen=True)
class Journal:
    """Writes a service's audit trail, in the transaction of the recorded action.

    `signed_in`: the person and the means (`password` or `openid`). `refused` is called no more often than attempts are
    allowed: not for a name or an address that has to wait.
    """

    signed_in: Callable[[Tx, str, str], Awaitable[None]]
    refused: Callable[[Tx, Refusal], Awaitable[None]] = _not_recorded
    signed_out: Callable[[Tx, str], Awaitable[None]] = _not_recorded


class SignIn:
    """Shows the page and begins sessions. `openid`: people sign in at their organisation, and nowhere else."""

    def __init__(self, database: Database, pages: Pages, sessions: Sessions, journal: Journal, *, openid: bool) -> None:
        self.database = database
        self.pages = pages
        self.site = pages.site
        self.sessions = sessions
        self.openid = openid
        self.form_cookie = f"{self.site.name}_sign_in"
        self._journal = journal
        self._at_once = 0
        self._counting = asyncio.Lock()

    def form(self, status: HTTPStatus = HTTPStatus.OK, wrong: str | None = None, name: str = "") -> Response:
        """The page. Its form works only in the browser that received it."""
        token = secrets.token_urlsafe(24)
        response = self.pages.page(
            "sign_in", status, token=token, wrong=wrong, name=name, openid=self.openid, session=None
        )
        self.sessions.set_cookie(response, self.form_cookie, token, _FORM_LASTS)
        return response

    async def enter_by_password(self, request: Request, name: str, password: str) -> Response | None:
        """Check a password and begin a session; None where it is wrong.

        The attempt is counted first. The password is checked outside any transaction, and the session begins in one
        that confirms that the account has not changed. Raises TooManyAttemptsError, TooManyPeopleError.
        """
        if self._at_once >= _MOST_AT_ONCE:
            raise TooManyPeopleError
        self._at_once += 1
        try:
            return await self._enter_by_password(request, name, password)
        finally:
            self._at_once -= 1

    async def _enter_by_password(self, request: Request, name: str, password: str) -> Response | None:
        address = address_of(request)
        device = request.cookies.get(self.sessions.device_cookie, "")
        # One at a time: attempts on one subject wait for each other, and must not occupy all connections.
        async with self._counting, self.database.transaction() as tx:
            attempt = await reserve(tx, address, name, device)
            stored_hash = await password_hash_of(tx, name)
        if attempt is None:
            raise TooManyAttemptsError
        correct = await matches(stored_hash, password)
        async with self.database.transaction() as tx:
            verified = await confirm(tx, name, stored_hash) if correct and stored_hash is not None else None
            if verified is not None:
                return await self._enter(tx, request, verified, attempt)
            who = f"{self.site.kind}:{name}" if await exists(tx, name) else None
            await self._journal.refused(tx, Refusal(who, "" if who else name, "password", "wrong name or password"))
        return None

    async def enter_by_openid(self, request: Request, person: Person) -> Response:
        """Begin the session of a person whom the provider confirms."""
        async with self.database.transaction() as tx:
            if not await disabled(tx, person.name):
                return await self._enter(tx, request, Verified(person.name, person.role, "openid"))
        return await self.not_confirmed(request, "Your account is disabled here.", person.name)

    async def _enter(self, tx: Tx, request: Request, verified: Verified, attempt: Attempt | None = None) -> Response:
        response = redirect(self.site.home)
        who = await self.sessions.begin(tx, response, verified)
        if attempt is not None:
            await forget(tx, attempt)
            await self.sessions.remember_device(tx, request, response, verified.name)
        await self._journal.signed_in(tx, who, verified.means)
        self.sessions.drop_cookie(response, self.form_cookie)
        return response

    async def not_confirmed(self, request: Request, why: str, name: str | None = None) -> Response:
        """The provider did not sign anybody in. `name`: a person whom it confirms and who has no access here."""
        storable = name is not None and name.isprintable() and len(name) <= _LONGEST
        who = f"{self.site.kind}:{name}" if storable else None
        async with self.database.transaction() as tx:
            # The provider limits attempts itself; here they only limit what is written to the audit trail.
            if await reserve(tx, address_of(request)) is not None:
                await self._journal.refused(tx, Refusal(who, "" if storable else name or "", "openid", why))
        return self.form(HTTPStatus.FORBIDDEN, why)

    async def leave(self, request: Request, response: Response, session: Session) -> None:
        """End a session."""
        async with self.database.transaction() as tx:
            if await self.sessions.end(tx, request, response):
                await self._journal.signed_out(tx, session.who)


def address_of(request: Request) -> str:
    """The client's address as limits count it: of an IPv6 address the /64, which one household or server gets."""
    host = request.client.host if request.client else "unknown"
    address = ClientAddress.parse(host)
    return host if address is None else address.household
