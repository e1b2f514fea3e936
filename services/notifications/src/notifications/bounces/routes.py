"""`POST /bounces`: the mail server hands in what came back to our return paths."""

from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Request
from prometheus_client import CollectorRegistry, Counter
from pydantic import BaseModel, SecretStr

from notifications.bounces.rules import NotABounceError, read
from notifications.bounces.store import returned
from notifications.emails import BadLinkError, Links
from shared.database import Database
from shared.kernel.auth import ApiKeys
from shared.kernel.problems import Problem
from shared.values.text import Cleaned


class Taken(BaseModel):
    """What was made of it. `known`: false where the mail had come back before."""

    outcome: Literal["failed", "delayed"]
    known: bool


def router(database: Database, links: Links, key: str, registry: CollectorRegistry) -> APIRouter:
    """The route. `key`: what the mail server must show."""
    routes = APIRouter(tags=["mail"])
    keys = ApiKeys({"mail server": SecretStr(key)}, asked="bounce key", problem="unknown-key")
    bounces = Counter("bounces", "Mails that came back, by outcome", ["outcome"], registry=registry)

    @routes.post("/bounces")
    async def bounce(request: Request, recipient: Annotated[str, Cleaned(320), Query()] = "") -> Taken:
        """Take a delivery status notification (RFC 3464) as it came: `message/rfc822`.

        `recipient`: whom the notification was sent to, where its own headers do not say.
        """
        keys.holder(request.headers.get("authorization"))
        try:
            found, addresses = read(await request.body())
        except NotABounceError as error:
            bounces.labels("unreadable").inc()
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "not-a-bounce", f"Nothing was done: {error}.") from None
        kind, subject_id = _whose(links, (recipient, *addresses))
        async with database.transaction() as tx:
            fresh = await returned(tx, kind, subject_id, found)
        outcome: Literal["failed", "delayed"] = "failed" if found.final else "delayed"
        bounces.labels(outcome if fresh else "repeated").inc()
        return Taken(outcome=outcome, known=fresh)

    return routes


def _whose(links: Links, addresses: tuple[str, ...]) -> tuple[str, UUID]:
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
