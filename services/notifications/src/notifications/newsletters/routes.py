"""Newsletters (PP 4.6): a shop or an agent has one sent, sees how far it is, stops it."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from notifications.emails import Storefront
from notifications.newsletters import store as newsletters
from notifications.newsletters.rules import Letter
from shared.contracts import Language
from shared.database import Database
from shared.ids import uuid_for
from shared.kernel.auth import ApiKeys
from shared.kernel.problems import Problem
from shared.values.opaque import Named
from shared.values.text import Line, Lines

_LONGEST = 50_000
Key = Annotated[str | None, Header(alias="Authorization")]
Subject = Annotated[str, Line(150)]
Text = Annotated[str, Lines(_LONGEST)]


class Words(BaseModel):
    """A newsletter in one language. `text`: CommonMark; HTML in it is shown as it is written, pictures are left out."""

    model_config = ConfigDict(extra="forbid")

    subject: Subject
    text: Text


class Wanted(BaseModel):
    """A newsletter to all of a storefront's buyers who agreed and read one of these languages."""

    model_config = ConfigDict(extra="forbid")

    storefront: Named
    letters: dict[Language, Words] = Field(min_length=1)


class Authors:
    """Who may send: a storefront to its own buyers, an agent for any."""

    def __init__(
        self,
        storefronts: Mapping[str, SecretStr],
        agents: Mapping[str, SecretStr],
        known: Mapping[str, Storefront],
    ) -> None:
        self._storefronts = ApiKeys(storefronts)
        self._agents = ApiKeys(agents)
        self._known = known

    def who(self, header: str | None) -> tuple[str, str | None]:
        """The author's name, and the storefront that they may write for (None: any). Raises Problem (401)."""
        if (name := self._agents.known(header)) is not None:
            return f"agent {name}", None
        slug = self._storefronts.holder(header)
        return f"storefront {slug}", slug

    def may(self, header: str | None, storefront: str) -> str:
        """The author's name. Raises Problem (401, 403, 422)."""
        name, own = self.who(header)
        if own not in {None, storefront}:
            raise Problem(HTTPStatus.FORBIDDEN, "other-storefront", "A storefront writes to its own buyers only.")
        if storefront not in self._known:
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, "unknown-storefront", "There is no such storefront.")
        return name


def router(database: Database, authors: Authors) -> APIRouter:
    """The routes below /newsletters."""
    routes = APIRouter(prefix="/newsletters", tags=["newsletters"])

    @routes.post("", status_code=HTTPStatus.ACCEPTED)
    async def send(
        body: Wanted,
        idempotency_key: Annotated[str, Line(100), Header()],
        authorization: Key = None,
    ) -> dict[str, Any]:
        """Have it sent; the same key and body again is the same newsletter. 422: the key was used for another.

        429: a shop has had 20 within 24 hours.
        """
        author = authors.may(authorization, body.storefront)
        identity = uuid_for("newsletter", body.storefront, idempotency_key)
        letters: dict[str, Letter] = {
            language: Letter(words.subject, words.text) for language, words in body.letters.items()
        }
        async with database.transaction("http") as tx:
            if not author.startswith("agent "):
                await newsletters.check_room(tx, identity, body.storefront)
            if not await newsletters.create(tx, identity, body.storefront, author, letters):
                raise Problem(
                    HTTPStatus.UNPROCESSABLE_ENTITY,
                    "idempotency-key-reused",
                    "This Idempotency-Key stands for another newsletter; send this one under a key of its own.",
                )
            return await newsletters.progress(tx, identity)

    @routes.get("/{newsletter_id}")
    async def progress(newsletter_id: UUID, authorization: Key = None) -> dict[str, Any]:
        """How many are planned, sent, skipped (unsubscribed, blocked, one a day), failed, unknown, left."""
        _, own = authors.who(authorization)
        async with database.reading() as tx:
            _check(own, await newsletters.find(tx, newsletter_id))
            return await newsletters.progress(tx, newsletter_id)

    @routes.delete("/{newsletter_id}")
    async def stop(newsletter_id: UUID, authorization: Key = None) -> dict[str, Any]:
        """Send it to nobody else."""
        _, own = authors.who(authorization)
        async with database.transaction("http") as tx:
            _check(own, await newsletters.find(tx, newsletter_id))
            await newsletters.stop(tx, newsletter_id)
            return await newsletters.progress(tx, newsletter_id)

    return routes


def _check(own: str | None, found: newsletters.Newsletter | None) -> None:
    """Raises Problem (404) where there is none, or it is not the author's `own` storefront's (None: any will do)."""
    if found is None or own not in {None, found.storefront}:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-newsletter", "There is no such newsletter.")
