"""The pages of shops' webhooks: endpoints with their state and deliveries, enabling one, sending updates again."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Form, Query
from fastapi.responses import Response
from pydantic import BaseModel, BeforeValidator

from operations.clients.ordering import Deliveries, Endpoint, Endpoints, Redelivered
from operations.pages.actions import DRY_RUN, Change, ServiceActions, problem_outcome
from operations.pages.dependencies import Actions, Operating, PageContext, Viewing
from operations.pages.rendering import BASE
from operations.pages.selection import Text, nothing_selected, reason
from shared.kernel.problems import Problem
from shared.kernel.services import NotAnsweredError
from shared.signin.rendering import redirect
from shared.values.moment import MomentOrUtc
from shared.values.text import Line

STATES = ("waiting", "delivered", "failed", "stopped")
_SERVICE, _ENDPOINTS, _REDELIVERIES = "ordering", "webhook-endpoints", "webhook-redeliveries"
_MOST_SHOWN = 50
#: Requests of one redelivery, each of up to 50,000 updates.
_MOST_REQUESTS = 20
A = TypeVar("A", bound=BaseModel)
_OrNone = BeforeValidator(lambda value: None if value == "" else value)
routes = APIRouter(prefix=f"{BASE}/webhooks")


class RedeliveryForm(BaseModel):
    """Which updates of a shop are sent again: one, or those of a time; to one endpoint, or to all that receive them."""

    storefront: Annotated[str, Line(64, 1)]
    endpoint_id: Annotated[UUID | None, _OrNone] = None
    update_id: Annotated[UUID | None, _OrNone] = None
    since: Annotated[MomentOrUtc | None, _OrNone] = None
    until: Annotated[MomentOrUtc | None, _OrNone] = None
    undelivered_only: bool = False
    words: Annotated[str, Line(500, 0)] = ""

    def body(self) -> dict[str, Any]:
        """The request to ordering, without the reason. Raises Problem (422) where nothing limits it."""
        if self.endpoint_id is None and self.update_id is None and self.since is None:
            raise nothing_selected()
        return self.model_dump(mode="json", exclude={"words"}, exclude_none=True)

    def __str__(self) -> str:
        """For the audit log: `esimka, endpoint 0190…, since 2026-11-30 08:00 UTC, what was not delivered`."""
        parts = [self.storefront]
        parts += [f"endpoint {self.endpoint_id}"] if self.endpoint_id else []
        parts += [f"update {self.update_id}"] if self.update_id else []
        parts += [f"since {_minute(self.since)}"] if self.since else []
        parts += [f"before {_minute(self.until)}"] if self.until else []
        parts += ["what was not delivered"] if self.undelivered_only else []
        return ", ".join(parts)


@routes.get("")
async def webhook_endpoints(viewer: Viewing, storefront: Annotated[Text, Query()] = "") -> Response:
    path = f"/operations/{_ENDPOINTS}"
    answer = await viewer.services.try_read(_SERVICE, Endpoints, path, viewer.trace, storefront=storefront)
    endpoints = sorted(answer.value.items if answer.value else [], key=_failing_first)
    return viewer.page("webhooks", answer=answer, endpoints=endpoints, storefront=storefront)


@routes.get("/{endpoint_id}")
async def webhook_endpoint(
    endpoint_id: UUID, viewer: Viewing, state: Annotated[Text, Query()] = "", before: UUID | None = None
) -> Response:
    endpoint = await _read(viewer, Endpoint, f"{_ENDPOINTS}/{endpoint_id}")
    state = state if state in STATES else ""
    path = f"{_ENDPOINTS}/{endpoint_id}/deliveries"
    log = await _read(viewer, Deliveries, path, state=state, before=before, limit=_MOST_SHOWN)
    return viewer.page("webhook", endpoint=endpoint, log=log, states=STATES, state=state)


async def _read(context: PageContext, model: type[A], path: str, **query: Any) -> A:
    """Raises Problem (404)."""
    try:
        return await context.services.read(_SERVICE, model, path, context.trace, **query)
    except NotAnsweredError as error:
        raise Problem(HTTPStatus.NOT_FOUND, "no-answer", f"{_SERVICE} {error}.") from error


@routes.post("/{endpoint_id}/enable")
async def enable(endpoint_id: UUID, actions: Actions, words: Annotated[str, Line(500, 0), Form()] = "") -> Response:
    why = reason(words)
    result = await actions.request(
        "enable_webhook_endpoint",
        str(endpoint_id),
        why,
        Change(_SERVICE, f"{_ENDPOINTS}/{endpoint_id}/enabling", {"reason": why}),
        Endpoint,
        lambda endpoint: {"endpoint": "enabled" if endpoint.enabled else "disabled"},
    )
    return redirect(f"{BASE}/audit/{result.entry}")


@routes.post("/redelivery/preview")
async def preview(form: Annotated[RedeliveryForm, Form()], operator: Operating, actions: Actions) -> Response:
    body = {**form.body(), **DRY_RUN}
    try:
        would = await actions.send(Change(_SERVICE, _REDELIVERIES, body), Redelivered)
    except NotAnsweredError as error:
        raise Problem(HTTPStatus.CONFLICT, "no-answer", f"{_SERVICE} {error}.") from error
    return operator.page("webhook_preview", form=form, would=would)


@routes.post("/redelivery")
async def redeliver(form: Annotated[RedeliveryForm, Form()], actions: Actions) -> Response:
    why = reason(form.words)
    body = {**form.body(), "reason": why}
    entry = await actions.begin("redeliver_webhooks", str(form), why)
    await actions.finish(entry, await _send_again(actions, body))
    return redirect(f"{BASE}/audit/{entry}")


async def _send_again(actions: ServiceActions, body: dict[str, Any]) -> dict[str, Any]:
    """Make deliveries due, with as many requests as needed; the outcome for the audit log."""
    due = 0
    for _ in range(_MOST_REQUESTS):
        try:
            answer = await actions.send(Change(_SERVICE, _REDELIVERIES, body), Redelivered)
        except NotAnsweredError as error:
            return {"due now": due, **problem_outcome(_SERVICE, error)}
        due += answer.deliveries
        if answer.continue_after is None:
            return {"due now": due}
        body = {**body, "continue_after": str(answer.continue_after)}
    return {"due now": due, "further": "more updates are meant: begin again with what was not delivered"}


def _failing_first(endpoint: Endpoint) -> tuple[bool, bool, str]:
    return endpoint.enabled, endpoint.failing_since is None, endpoint.storefront


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
