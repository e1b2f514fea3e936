"""Webhooks of shops: endpoints with their state, their deliveries, enabling one again, sending updates again."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, TypeVar
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, BeforeValidator

from operations.clients.ordering import Deliveries, Endpoint, Endpoints, Redelivered
from operations.clients.services import NotAnsweredError, ServicesClient
from operations.pages.actions import Call, Hands
from operations.pages.context import Room
from operations.pages.rendering import BASE, page
from operations.pages.selection import Text, nothing_chosen, reason
from shared.kernel.problems import Problem
from shared.signin.rendering import redirect
from shared.values.moment import MomentOrUtc
from shared.values.opaque import Named
from shared.values.text import Line

STATES = ("waiting", "delivered", "failed", "stopped")
_SERVICE, _ENDPOINTS, _REDELIVERIES = "ordering", "webhook-endpoints", "webhook-redeliveries"
_MOST_SHOWN = 50
#: Requests of one redelivery, each of up to 50,000 updates.
_MOST_REQUESTS = 20
#: A dry run needs a reason too; it is not kept.
_DRY_RUN = "dry run"
A = TypeVar("A", bound=BaseModel)
_OrNone = BeforeValidator(lambda value: None if value == "" else value)


class Redelivering(BaseModel):
    """Which updates of a shop are sent again: one, or those of a time; to one endpoint, or to all that hear them."""

    csrf: Named
    storefront: Annotated[str, Line(64, 1)]
    endpoint_id: Annotated[UUID | None, _OrNone] = None
    update_id: Annotated[UUID | None, _OrNone] = None
    since: Annotated[MomentOrUtc | None, _OrNone] = None
    until: Annotated[MomentOrUtc | None, _OrNone] = None
    undelivered_only: bool = False
    words: Annotated[str, Line(500, 0)] = ""

    def request(self) -> dict[str, Any]:
        """As ordering asks for it, without the reason. Raises Problem (422) where nothing limits it."""
        if self.endpoint_id is None and self.update_id is None and self.since is None:
            raise nothing_chosen()
        return self.model_dump(mode="json", exclude={"csrf", "words"}, exclude_none=True)

    def __str__(self) -> str:
        """For the audit trail: `esimka, endpoint 0190…, since 2026-11-30 08:00:00, what was not delivered`."""
        said = [self.storefront]
        said += [f"endpoint {self.endpoint_id}"] if self.endpoint_id else []
        said += [f"update {self.update_id}"] if self.update_id else []
        said += [f"since {_minute(self.since)}"] if self.since else []
        said += [f"before {_minute(self.until)}"] if self.until else []
        said += ["what was not delivered"] if self.undelivered_only else []
        return ", ".join(said)


def router(room: Room, hands: Hands) -> APIRouter:
    """The pages of webhooks."""
    routes = APIRouter(prefix=f"{BASE}/webhooks", include_in_schema=False)

    async def read(request: Request, model: type[A], path: str, **query: Any) -> A:
        try:
            return await room.client.read(_SERVICE, model, path, request.state.trace, **query)
        except NotAnsweredError as error:
            raise Problem(HTTPStatus.NOT_FOUND, "no-answer", f"{_SERVICE} {error}.") from error

    @routes.get("")
    async def listing(request: Request, storefront: Annotated[Text, Query()] = "") -> Response:
        session = await room.sessions.of(request)
        path = f"/operations/{_ENDPOINTS}"
        answer = await room.client.ask(_SERVICE, Endpoints, path, request.state.trace, storefront=storefront)
        endpoints = sorted(answer.found.items if answer.found else [], key=_in_trouble_first)
        return page(
            "webhooks", session=session, now=room.now(), answer=answer, endpoints=endpoints, storefront=storefront
        )

    @routes.get("/{endpoint_id}")
    async def show(
        request: Request, endpoint_id: UUID, state: Annotated[Text, Query()] = "", before: UUID | None = None
    ) -> Response:
        session = await room.sessions.of(request)
        endpoint = await read(request, Endpoint, f"{_ENDPOINTS}/{endpoint_id}")
        state = state if state in STATES else ""
        log = await read(
            request,
            Deliveries,
            f"{_ENDPOINTS}/{endpoint_id}/deliveries",
            state=state,
            before=before,
            limit=_MOST_SHOWN,
        )
        return page("webhook", session=session, now=room.now(), endpoint=endpoint, log=log, states=STATES, state=state)

    @routes.post("/{endpoint_id}/enable")
    async def enable(
        request: Request,
        endpoint_id: UUID,
        csrf: Annotated[Named, Form()],
        words: Annotated[str, Line(500, 0), Form()] = "",
    ) -> Response:
        session = await room.acting(request, csrf)
        why = reason(words)
        done = await hands.ask(
            session,
            "enable_webhook_endpoint",
            str(endpoint_id),
            why,
            Call(_SERVICE, f"{_ENDPOINTS}/{endpoint_id}/enabling", {"reason": why}),
            Endpoint,
            request.state.trace,
            outcome=lambda endpoint: {"endpoint": "enabled" if endpoint.enabled else "disabled"},
        )
        return redirect(f"{BASE}/audit/{done.entry}")

    _add_redelivery(routes, room, hands)
    return routes


def _add_redelivery(routes: APIRouter, room: Room, hands: Hands) -> None:
    @routes.post("/redelivery/preview")
    async def preview(request: Request, form: Annotated[Redelivering, Form()]) -> Response:
        session = await room.acting(request, form.csrf)
        body = {**form.request(), "reason": _DRY_RUN, "dry_run": True}
        trace = request.state.trace
        try:
            would = await room.client.act(_SERVICE, Redelivered, _REDELIVERIES, body, session.name, trace)
        except NotAnsweredError as error:
            raise Problem(HTTPStatus.CONFLICT, "no-answer", f"{_SERVICE} {error}.") from error
        return page("webhook_preview", session=session, now=room.now(), form=form, would=would)

    @routes.post("/redelivery")
    async def redeliver(request: Request, form: Annotated[Redelivering, Form()]) -> Response:
        session = await room.acting(request, form.csrf)
        why = reason(form.words)
        body = {**form.request(), "reason": why}
        entry = await hands.begin(session, "redeliver_webhooks", str(form), why)
        await hands.finish(entry, await _send_again(room.client, body, session.name, request.state.trace))
        return redirect(f"{BASE}/audit/{entry}")


async def _send_again(client: ServicesClient, body: dict[str, Any], person: str, trace: str | None) -> dict[str, Any]:
    """Make deliveries due, with as many requests as it takes; the outcome for the audit trail."""
    made = 0
    for _ in range(_MOST_REQUESTS):
        try:
            answer = await client.act(_SERVICE, Redelivered, _REDELIVERIES, body, person, trace)
        except NotAnsweredError as error:
            return {"due now": made, **Hands.problem(_SERVICE, error)}
        made += answer.deliveries
        if answer.continue_after is None:
            return {"due now": made}
        body = {**body, "continue_after": str(answer.continue_after)}
    return {"due now": made, "further": "more updates are meant: begin again with what was not delivered"}


def _in_trouble_first(endpoint: Endpoint) -> tuple[bool, bool, str]:
    return endpoint.enabled, endpoint.failing_since is None, endpoint.storefront


def _minute(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
