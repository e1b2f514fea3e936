"""API keys of shops: the list, one of them, creating one (it is shown once), revoking one."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from operations.clients.ordering import ApiKey, ApiKeys, CreatedKey
from operations.pages.actions import Call, Hands
from operations.pages.context import Room
from operations.pages.rendering import BASE, page
from operations.pages.selection import Text, reason
from shared.kernel.problems import Problem
from shared.keys.models import SCOPES, Scope
from shared.signin.rendering import redirect
from shared.values.opaque import Named
from shared.values.text import Line

_SERVICE, _PATH = "ordering", "/api-keys"
Reason = Annotated[str, Line(500, 0), Form()]


class Creating(BaseModel):
    """A key to create. `days`: it expires after so many; without, never."""

    csrf: Named
    storefront: Annotated[str, Line(64, 1)]
    name: Annotated[str, Line(60, 1)]
    scopes: list[Scope] = Field(min_length=1)
    test: bool = False
    days: int | None = Field(None, ge=1, le=3660)
    words: Annotated[str, Line(500, 0)] = ""

    def expires_at(self, now: datetime) -> datetime | None:
        return None if self.days is None else now + timedelta(days=self.days)

    def body(self, now: datetime) -> dict[str, Any]:
        """As ordering asks for it."""
        expires_at = self.expires_at(now)
        return {
            "storefront": self.storefront,
            "name": self.name,
            "scopes": sorted(set(self.scopes)),
            "test": self.test,
            "expires_at": None if expires_at is None else expires_at.isoformat(),
        }


def router(room: Room, hands: Hands) -> APIRouter:
    """The pages of API keys."""
    routes = APIRouter(prefix=f"{BASE}/api-keys", include_in_schema=False)

    @routes.get("")
    async def listing(
        request: Request, storefront: Annotated[Text, Query()] = "", show: Annotated[Text, Query()] = "valid"
    ) -> Response:
        session = await room.sessions.of(request)
        answer = await room.client.ask(_SERVICE, ApiKeys, _PATH, request.state.trace, storefront=storefront)
        keys = answer.found.items if answer.found else []
        return page(
            "api_keys",
            session=session,
            now=room.now(),
            answer=answer,
            keys=[key for key in keys if show == "all" or key.state == "valid"],
            hidden=0 if show == "all" else sum(key.state != "valid" for key in keys),
            storefront=storefront,
            show_all=show == "all",
            scopes=SCOPES,
        )

    @routes.get("/{key_id}")
    async def show_key(request: Request, key_id: UUID) -> Response:
        session = await room.sessions.of(request)
        return page("api_key", session=session, now=room.now(), key=await _key(request, key_id))

    @routes.post("/preview")
    async def preview(request: Request, form: Annotated[Creating, Form()]) -> Response:
        session = await room.acting(request, form.csrf)
        now = room.now()
        return page("api_key_preview", session=session, now=now, form=form, expires_at=form.expires_at(now))

    @routes.post("/create")
    async def create(request: Request, form: Annotated[Creating, Form()]) -> Response:
        session = await room.acting(request, form.csrf)
        subject = f"{form.name} of {form.storefront}"
        done = await hands.ask(
            session,
            "create_api_key",
            subject,
            reason(form.words),
            Call(_SERVICE, _PATH, form.body(room.now())),
            CreatedKey,
            request.state.trace,
            outcome=lambda created: {"created": created.api_key.prefix, "key_id": str(created.api_key.key_id)},
        )
        if done.result is None:
            return redirect(f"{BASE}/audit/{done.entry}")
        # Not a redirect: this answer is the only one that contains the key.
        return page("api_key_created", session=session, now=room.now(), created=done.result, entry=done.entry)

    @routes.post("/{key_id}/revoke")
    async def revoke(request: Request, key_id: UUID, csrf: Annotated[Named, Form()], words: Reason = "") -> Response:
        session = await room.acting(request, csrf)
        why = reason(words)
        key = await _key(request, key_id)
        done = await hands.ask(
            session,
            "revoke_api_key",
            f"{key.name} of {key.storefront}, {key.prefix}…",
            why,
            Call(_SERVICE, f"{_PATH}/{key_id}/revocation", {"reason": why}),
            ApiKey,
            request.state.trace,
            outcome=lambda revoked: {"key": revoked.state},
        )
        return redirect(f"{BASE}/audit/{done.entry}")

    async def _key(request: Request, key_id: UUID) -> ApiKey:
        """Raises Problem (404, 502)."""
        answer = await room.client.ask(_SERVICE, ApiKeys, _PATH, request.state.trace)
        if answer.found is None:
            raise Problem(HTTPStatus.BAD_GATEWAY, "no-answer", f"{_SERVICE} {answer.problem}.")
        key = next((key for key in answer.found.items if key.key_id == key_id), None)
        if key is None:
            raise Problem(HTTPStatus.NOT_FOUND, "unknown-key", "There is no such API key.")
        return key

    return routes
