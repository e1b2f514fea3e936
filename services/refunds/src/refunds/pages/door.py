"""The sign-in page itself, and what happens when somebody has come in, by whichever way."""

import secrets
from datetime import timedelta
from http import HTTPStatus

from fastapi.responses import Response

from refunds.desk.records import Audit
from refunds.pages.rendering import page, redirect
from refunds.pages.sessions import Sessions
from shared.database import Database

FORM_COOKIE = "refunds_sign_in"
_FORM_LASTS = timedelta(hours=1)
_HOME = "/agents/queue"


class Door:
    """Shows the page and begins sessions. `openid`: people sign in at their organisation, and only there."""

    def __init__(self, database: Database, sessions: Sessions, *, openid: bool) -> None:
        self.database = database
        self.sessions = sessions
        self.openid = openid

    def form(self, status: HTTPStatus = HTTPStatus.OK, wrong: str | None = None, name: str = "") -> Response:
        """The page. Its form works in the browser that was given it."""
        token = secrets.token_urlsafe(24)
        response = page("sign_in", status, token=token, wrong=wrong, name=name, openid=self.openid, session=None)
        self.sessions.set_cookie(response, FORM_COOKIE, token, _FORM_LASTS)
        return response

    async def enter(self, name: str, role: str, means: str) -> Response:
        """Begin a session and go to the queue."""
        who = f"agent:{name}"
        response = redirect(_HOME)
        async with self.database.transaction() as tx:
            await self.sessions.begin(tx, response, who, role)
            audit = Audit(tx, who)
            audit.add("signed_in", means=means)
            await audit.write()
        response.delete_cookie(FORM_COOKIE, path="/agents")
        return response
