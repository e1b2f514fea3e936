"""The pages of shops' API keys: the list, one key, creating one (it is shown once), revoking one."""

from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from operations.clients.ordering import ApiKey, ApiKeys, CreatedKey
from operations.pages.actions import Change
from operations.pages.dependencies import Actions, Operating, PageContext, Viewing
from operations.pages.rendering import BASE
from operations.pages.selection import Text, reason
from shared.kernel.dependencies import ServiceClock
from shared.kernel.problems import Problem
from shared.keys.models import SCOPES, Scope
from shared.signin.rendering import redirect
from shared.values.text import Line

_SERVICE, _PATH = "ordering", "/api-keys"
routes = APIRouter(prefix=f"{BASE}/api-keys")


class NewKey(BaseModel):
    """The form that creates a key. `days`: it expires after so many; None: never."""

    storefront: Annotated[str, Line(64, 1)]
    name: Annotated[str, Line(60, 1)]
    scopes: list[Scope] = Field(min_length=1)
    test: bool = False
    days: int | None = Field(None, ge=1, le=3660)
    words: Annotated[str, Line(500, 0)] = ""

    def expires_at(self, now: datetime) -> datetime | None:
        """When the key expires if it is created now."""
        return None if self.days is None else now + timedelta(days=self.days)

    def body(self, now: datetime) -> dict[str, Any]:
        """The request to ordering."""
        expires_at = self.expires_at(now)
        return {
            "storefront": self.storefront,
            "name": self.name,
            "scopes": sorted(set(self.scopes)),
            "test": self.test,
            "expires_at": None if expires_at is None else expires_at.isoformat(),
        }


@routes.get("")
async def api_keys(
    viewer: Viewing, storefront: Annotated[Text, Query()] = "", show: Annotated[Text, Query()] = "valid"
) -> Response:
    answer = await viewer.services.try_read(_SERVICE, ApiKeys, _PATH, viewer.trace, storefront=storefront)
    keys = answer.value.items if answer.value else []
    return viewer.page(
        "api_keys",
        answer=answer,
        keys=[key for key in keys if show == "all" or key.state == "valid"],
        hidden=0 if show == "all" else sum(key.state != "valid" for key in keys),
        storefront=storefront,
        show_all=show == "all",
        scopes=SCOPES,
    )


@routes.get("/{key_id}")
async def api_key(key_id: UUID, viewer: Viewing) -> Response:
    return viewer.page("api_key", key=await _find_key(viewer, key_id))


@routes.post("/preview")
async def preview_key(form: Annotated[NewKey, Form()], operator: Operating, clock: ServiceClock) -> Response:
    return operator.page("api_key_preview", form=form, expires_at=form.expires_at(clock.now()))


@routes.post("/create")
async def create_key(
    form: Annotated[NewKey, Form()], operator: Operating, actions: Actions, clock: ServiceClock
) -> Response:
    result = await actions.request(
        "create_api_key",
        f"{form.name} of {form.storefront}",
        reason(form.words),
        Change(_SERVICE, _PATH, form.body(clock.now())),
        CreatedKey,
        lambda created: {"created": created.api_key.prefix, "key_id": str(created.api_key.key_id)},
    )
    if result.answer is None:
        return redirect(f"{BASE}/audit/{result.entry}")
    # Not a redirect: this response is the only one that contains the key.
    return operator.page("api_key_created", created=result.answer, entry=result.entry)


@routes.post("/{key_id}/revoke")
async def revoke_key(
    key_id: UUID, operator: Operating, actions: Actions, words: Annotated[str, Line(500, 0), Form()] = ""
) -> Response:
    why = reason(words)
    key = await _find_key(operator, key_id)
    result = await actions.request(
        "revoke_api_key",
        f"{key.name} of {key.storefront}, {key.prefix}…",
        why,
        Change(_SERVICE, f"{_PATH}/{key_id}/revocation", {"reason": why}),
        ApiKey,
        lambda revoked: {"key": revoked.state},
    )
    return redirect(f"{BASE}/audit/{result.entry}")


async def _find_key(context: PageContext, key_id: UUID) -> ApiKey:
    """Raises Problem (404, 502)."""
    answer = await context.services.try_read(_SERVICE, ApiKeys, _PATH, context.trace)
    if answer.value is None:
        raise Problem(HTTPStatus.BAD_GATEWAY, "no-answer", f"{_SERVICE} {answer.problem}.")
    key = next((key for key in answer.value.items if key.key_id == key_id), None)
    if key is None:
        raise Problem(HTTPStatus.NOT_FOUND, "unknown-key", "There is no such API key.")
    return key
