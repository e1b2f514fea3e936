"""Who is signed in, and how often somebody failed to be."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import urlsplit

from fastapi import Request, Response

from shared.database import Database, Tx
from shared.ids import uuid7
from shared.kernel.problems import Problem
from shared.signin.site import Access, Site
from shared.signin.tables import TABLES

_WINDOW = timedelta(minutes=15)
#: Failures within the window after which a name, or an address, must wait.
_PER_NAME, _PER_ADDRESS = 5, 30
_FIND = "SELECT who, role, csrf FROM sessions WHERE token_hash = :token AND expires_at > :now"
_COUNT = "SELECT count(*) FROM sign_in_attempts WHERE subject = :subject AND at > :since"


@dataclass(slots=True, frozen=True)
class Session:
    """Somebody who is signed in; `who` goes into the audit trail."""

    who: str
    role: str
    csrf: str

    @property
    def name(self) -> str:
        """Without the kind."""
        return self.who.partition(":")[2]


class SignedOutError(Exception):
    """Nobody is signed in: show the sign-in page."""


class Sessions:
    """Sessions live in the table; the browser holds a random token, and the table its hash."""

    def __init__(self, database: Database, site: Site, access: Access) -> None:
        self._database = database
        self._cookie = f"{site.name}_session"
        self._path = site.base
        self._lasts = timedelta(hours=access.session_hours)
        # Browsers send secure cookies over https only; on this machine itself there may be none.
        self._secure = not access.public_url.startswith("http://")

    async def of(self, request: Request) -> Session:
        """Whose request this is. Raises SignedOutError."""
        token = request.cookies.get(self._cookie, "")
        async with self._database.reading() as tx:
            row = (await tx.execute(_FIND, token=digest(token), now=tx.now)).one_or_none() if token else None
        if row is None:
            raise SignedOutError
        return Session(row.who, row.role, row.csrf)

    async def acting(self, request: Request, csrf: str) -> Session:
        """The same for a form that changes something. Raises SignedOutError, Problem (403)."""
        session = await self.of(request)
        if not hmac.compare_digest(csrf.encode(), session.csrf.encode()):
            raise foreign()
        same_origin(request)
        return session

    async def begin(self, tx: Tx, response: Response, who: str, role: str) -> None:
        """Sign somebody in."""
        token = secrets.token_urlsafe(32)
        row = {
            "token_hash": digest(token),
            "who": who,
            "role": role,
            "csrf": secrets.token_urlsafe(24),
            "created_at": tx.now,
            "expires_at": tx.now + self._lasts,
        }
        await tx.insert(TABLES["sessions"], [row])
        self.set_cookie(response, self._cookie, token, self._lasts)

    async def end(self, tx: Tx, request: Request, response: Response) -> bool:
        """Sign out; False where that was done meanwhile."""
        token = digest(request.cookies[self._cookie])
        ended = (await tx.execute("DELETE FROM sessions WHERE token_hash = :token", token=token)).rowcount
        self.drop_cookie(response, self._cookie)
        return ended > 0

    def set_cookie(self, response: Response, name: str, value: str, lasts: timedelta) -> None:
        """A cookie that no script reads and no other site's form carries."""
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
        """It has done its work."""
        response.delete_cookie(name, path=self._path)


async def must_wait(tx: Tx, address: str, name: str | None = None) -> bool:
    """Whether this address (or this name) has failed too often lately."""
    for subject, most in _subjects(address, name):
        failures = (await tx.execute(_COUNT, subject=digest(subject), since=tx.now - _WINDOW)).scalar()
        if failures >= most:
            return True
    return False


async def failed(tx: Tx, address: str, name: str | None = None) -> None:
    """Remember a failure, of the address (and of the name)."""
    rows = [
        {"attempt_id": uuid7(), "subject": digest(subject), "at": tx.now} for subject, _ in _subjects(address, name)
    ]
    await tx.insert(TABLES["sign_in_attempts"], rows)


def _subjects(address: str, name: str | None) -> list[tuple[str, int]]:
    own = [] if name is None else [(f"name:{name}", _PER_NAME)]
    return [*own, (f"address:{address}", _PER_ADDRESS)]


def same_origin(request: Request) -> None:
    """Raises Problem (403) where the form came from another site, as far as the browser says."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise foreign()


def foreign() -> Problem:
    return Problem(
        HTTPStatus.FORBIDDEN, "form-expired", "This form is not from this page, or it is too old. Load the page again."
    )


def digest(token: str) -> bytes:
    """What is stored of a secret."""
    return hashlib.sha256(token.encode()).digest()
