"""Sessions of signed-in people. A session ends by time, a sign-out, a new password or a disabled account."""

import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from fastapi import Request, Response

from shared.database import Database, Tx
from shared.kernel.problems import Problem
from shared.signin.accounts import Verified
from shared.signin.secrets import digest
from shared.signin.site import Access, Site
from shared.signin.tables import TABLES

#: How long a browser is remembered after a sign-in.
_DEVICE_LASTS = timedelta(days=180)
#: Role, password and state of a local account are read at each request. For a person of the OpenID provider only
#: `disabled_at` is stored here; their role is the one at sign-in.
_FIND = """
SELECT s.who, CASE s.means WHEN 'password' THEN a.role ELSE s.role END AS role, s.csrf
FROM sessions s LEFT JOIN accounts a ON a.name = substr(s.who, CAST(:name_at AS int))
WHERE s.token_hash = :token AND s.expires_at > :now AND a.disabled_at IS NULL
  AND (s.means = 'openid' OR s.credential = sha256(convert_to(a.password_hash, 'UTF8')))
"""
_END_DEVICE = "DELETE FROM sign_in_devices WHERE token_hash = :token"


@dataclass(slots=True, frozen=True)
class Session:
    """A signed-in person; `who` is written to the audit trail."""

    who: str
    role: str
    csrf: str

    @property
    def name(self) -> str:
        """The name without the kind."""
        return self.who.partition(":")[2]


class SignedOutError(Exception):
    """There is no valid session: show the sign-in page."""


class Sessions:
    """Reads and writes sessions; the browser holds a random token, and the table its hash."""

    def __init__(self, database: Database, site: Site, access: Access) -> None:
        self._database = database
        self._cookie = f"{site.name}_session"
        self.device_cookie = f"{site.name}_device"
        self._kind = site.kind
        self._path = site.base
        self._lasts = timedelta(hours=access.session_hours)
        # Browsers send secure cookies over https only; on the same machine http is allowed.
        self._secure = not access.public_url.startswith("http://")

    async def of(self, request: Request) -> Session:
        """The session of a request. Raises SignedOutError."""
        token = request.cookies.get(self._cookie, "")
        async with self._database.reading() as tx:
            row = await self._find(tx, token) if token else None
        if row is None:
            raise SignedOutError
        return Session(row.who, row.role, row.csrf)

    async def _find(self, tx: Tx, token: str) -> Any:
        name_at = len(self._kind) + 2  # after "<kind>:", counted from 1
        return (await tx.execute(_FIND, token=digest(token), now=tx.now, name_at=name_at)).one_or_none()

    async def acting(self, request: Request, csrf: str) -> Session:
        """The session of a submitted form, whose CSRF token is checked. Raises SignedOutError, Problem (403)."""
        session = await self.of(request)
        same_origin(request)
        if not hmac.compare_digest(csrf.encode(), session.csrf.encode()):
            raise foreign()
        return session

    async def begin(self, tx: Tx, response: Response, verified: Verified) -> str:
        """Begin a session; returns `<kind>:<name>`. `verified`: confirmed in this transaction (`accounts.confirm`)."""
        token = secrets.token_urlsafe(32)
        who = f"{self._kind}:{verified.name}"
        row = {
            "token_hash": digest(token),
            "who": who,
            "role": verified.role,
            "csrf": secrets.token_urlsafe(24),
            "created_at": tx.now,
            "expires_at": tx.now + self._lasts,
            "means": verified.means,
            "credential": verified.credential,
        }
        await tx.insert(TABLES["sessions"], [row])
        self.set_cookie(response, self._cookie, token, self._lasts)
        return who

    async def remember_device(self, tx: Tx, request: Request, response: Response, name: str) -> None:
        """Remember that this person has signed in from this browser, with a new token each time."""
        if old := request.cookies.get(self.device_cookie):
            await tx.execute(_END_DEVICE, token=digest(old))
        token = secrets.token_urlsafe(32)
        row = {"token_hash": digest(token), "name": name, "expires_at": tx.now + _DEVICE_LASTS}
        await tx.insert(TABLES["sign_in_devices"], [row])
        self.set_cookie(response, self.device_cookie, token, _DEVICE_LASTS)

    async def end(self, tx: Tx, request: Request, response: Response) -> bool:
        """End the session; False where it had ended meanwhile."""
        token = digest(request.cookies[self._cookie])
        ended = (await tx.execute("DELETE FROM sessions WHERE token_hash = :token", token=token)).rowcount
        self.drop_cookie(response, self._cookie)
        return ended > 0

    def set_cookie(self, response: Response, name: str, value: str, lasts: timedelta) -> None:
        """Set a cookie that scripts cannot read and forms of other sites do not send."""
        response.set_cookie(
            name,
            value,
            max_age=round(lasts.total_seconds()),
            path=self._path,
            httponly=True,
            secure=self._secure,
            samesite="lax",
        )

    def drop_cookie(self, response: Response, name: str) -> None:
        """Delete a cookie."""
        response.delete_cookie(name, path=self._path)


def is_foreign(request: Request) -> bool:
    """Whether the browser says that the form came from another site."""
    origin = request.headers.get("origin")
    return origin is not None and urlsplit(origin).netloc != request.headers.get("host")


def same_origin(request: Request) -> None:
    """Raises FormExpiredError where the form came from another site."""
    if is_foreign(request):
        raise foreign()


class FormExpiredError(Problem):
    """A form that is not from this page, or from an earlier session."""


def foreign() -> FormExpiredError:
    """The refusal of a form from another site or an earlier session."""
    return FormExpiredError(
        HTTPStatus.FORBIDDEN, "form-expired", "This form is not from this page, or it is too old. Load the page again."
    )
