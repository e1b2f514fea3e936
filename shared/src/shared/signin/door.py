"""The sign-in page itself, and what happens when somebody has come in, by whichever way."""

import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from http import HTTPStatus

from fastapi.responses import Response

from shared.database import Database, Tx
from shared.signin.rendering import Pages, redirect
from shared.signin.sessions import Sessions

_FORM_LASTS = timedelta(hours=1)

#: Writes into a service's audit trail, in the transaction that begins a session: who came in, by which means
#: (`password` or `openid`).
SignedIn = Callable[[Tx, str, str], Awaitable[None]]


class Door:
    """Shows the page and begins sessions. `openid`: people sign in at their organisation, and only there."""

    def __init__(
        self, database: Database, pages: Pages, sessions: Sessions, signed_in: SignedIn, *, openid: bool
    ) -> None:
        self.database = database
        self.pages = pages
        self.site = pages.site
        self.sessions = sessions
        self.openid = openid
        self.form_cookie = f"{self.site.name}_sign_in"
        self._signed_in = signed_in

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
            await self._signed_in(tx, who, means)
        self.sessions.drop_cookie(response, self.form_cookie)
        return response
