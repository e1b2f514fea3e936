"""`POST /bounces`: the mail server hands in emails that came back to our return paths."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from prometheus_client import CollectorRegistry, Counter
from pydantic import BaseModel, SecretStr

from notifications.bounces import store
from notifications.bounces.rules import NotABounceError, read
from notifications.emails import BadLinkError, Links
from shared.database import Database
from shared.kernel.auth import ApiKeys, KeyHolder
from shared.kernel.problems import Problem
from shared.values.text import Cleaned

router = APIRouter(tags=["mail"])


@dataclass(frozen=True, slots=True)
class BounceContext:
    """What this endpoint uses. `app.py` stores it as `app.state.bounces`."""

    database: Database
    links: Links
    keys: ApiKeys
    counter: Counter

    @classmethod
    def of(cls, database: Database, links: Links, key: SecretStr, registry: CollectorRegistry) -> "BounceContext":
        """`key`: the one that the mail server sends."""
        keys = ApiKeys({"mail server": key}, asked="bounce key", problem="unknown-key")
        counter = Counter("bounces", "Emails that came back, by outcome", ["outcome"], registry=registry)
        return cls(database, links, keys, counter)


class Taken(BaseModel):
    """What the notification changed. `known`: false where the mail had come back before."""

    outcome: Literal["failed", "delayed"]
    known: bool


def _bounces(request: Request) -> BounceContext:
    context: BounceContext = request.app.state.bounces
    return context


async def _context(request: Request) -> BounceContext:
    return _bounces(request)


Context = Annotated[BounceContext, Depends(_context)]
MailServer = Annotated[str, Depends(KeyHolder("mail-system", lambda request: _bounces(request).keys))]


@router.post("/bounces")
async def bounce(
    request: Request, context: Context, _caller: MailServer, recipient: Annotated[str, Cleaned(320), Query()] = ""
) -> Taken:
    """Take a delivery status notification (RFC 3464) as it came: `message/rfc822`.

    `recipient`: whom the notification was sent to, where its own headers do not say.
    """
    try:
        notification, addresses = read(await request.body())
    except NotABounceError as error:
        context.counter.labels("unreadable").inc()
        raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "not-a-bounce", f"Nothing was done: {error}.") from None
    kind, subject_id = _email_of(context.links, (recipient, *addresses))
    async with context.database.transaction() as tx:
        changed = await store.record(tx, kind, subject_id, notification)
    outcome: Literal["failed", "delayed"] = "failed" if notification.final else "delayed"
    context.counter.labels(outcome if changed else "repeated").inc()
    return Taken(outcome=outcome, known=changed)


def _email_of(links: Links, addresses: tuple[str, ...]) -> tuple[str, UUID]:
    """The kind and subject of the email, from the first address that is a return path of ours."""
    for address in addresses:
        try:
            return links.returned(address)
        except BadLinkError:
            continue
    raise Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "not-our-mail",
        "Nothing was done: the notification was not sent to a return path of ours. Name it as `recipient`.",
    )
