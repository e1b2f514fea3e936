"""All pages as one, and refusals as pages."""

from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from operations.audit.store import Trail, journal
from operations.clients.services import ServicesClient
from operations.hashes import NameFingerprints
from operations.pages.actions import Hands
from operations.pages.context import OPERATOR, VIEWER, Room
from operations.pages.rendering import BASE, PAGES, page
from operations.pages.routes import api_keys, audit, dead_letters, orders, overview, tasks, webhooks
from operations.reading import Reading
from operations.settings import Settings
from shared.kernel.problems import Problem, field_errors
from shared.kernel.service import Service
from shared.signin.sessions import Sessions, SignedOutError
from shared.signin.wiring import serve_sign_in
from shared.telemetry.trace_links import TraceLinks

_TITLES = {403: "Not allowed", 404: "Not found", 409: "Not possible now", 422: "Something is missing"}


def serve_pages(service: Service, settings: Settings, reading: Reading, traces: TraceLinks) -> None:
    """Add the operations page to the service."""
    access = settings.access({settings.oidc_operator_role: OPERATOR, settings.oidc_viewer_role: VIEWER})
    sessions = serve_sign_in(service, PAGES, access, journal(NameFingerprints(settings.search_key)))
    client = ServicesClient(settings.services, settings.operations_key, service.tracing)
    service.closes(client.close)
    room = Room(service.database, sessions, client, traces)
    trail = Trail(service.database)
    hands = Hands(client, trail)
    _refusals(service, sessions)
    service.serves(
        overview.router(room, reading),
        orders.router(room, reading),
        tasks.router(room, hands),
        dead_letters.router(room, hands),
        api_keys.router(room, hands),
        webhooks.router(room, hands),
        audit.router(room, trail),
    )


def _refusals(service: Service, sessions: Sessions) -> None:
    """Under `/console` a refusal is a page; elsewhere it stays a problem document."""
    app = service.app
    refusals: tuple[type[Exception], ...] = (Problem, RequestValidationError, HTTPException)
    before: dict[type[Exception], Any] = {kind: app.exception_handlers[kind] for kind in refusals}

    def shown(kind: type[Exception]) -> Any:
        async def handle(request: Request, error: Any) -> Response:
            if not request.url.path.startswith(f"{BASE}/") and request.url.path != BASE:
                answer: Any = before[kind](request, error)
                return await answer  # type: ignore[no-any-return] # the kernel's handlers are coroutines
            return await _refused(request, sessions, error)

        return handle

    for kind in before:
        app.add_exception_handler(kind, shown(kind))


async def _refused(request: Request, sessions: Sessions, error: Any) -> Response:
    try:
        session = await sessions.of(request)
    except SignedOutError:
        session = None
    errors: list[dict[str, str]] = []
    if isinstance(error, RequestValidationError):
        status, detail = HTTPStatus.UNPROCESSABLE_ENTITY, "Some fields are missing or wrong. Go back and mend them."
        errors = field_errors(error.errors())
    elif isinstance(error, Problem):
        status, detail = error.status, error.detail
    else:
        status, detail = HTTPStatus(error.status_code), "There is no such page."
    title = _TITLES.get(status, status.phrase)
    return page("refused", status, session=session, title=title, detail=detail, errors=errors)
