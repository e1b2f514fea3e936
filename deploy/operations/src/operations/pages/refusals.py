"""Refusals under `/console` are pages; elsewhere they stay problem documents."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from operations.pages.rendering import BASE, page
from shared.kernel.problems import Problem, field_errors
from shared.signin.sessions import Sessions, SignedOutError

_REFUSALS: tuple[type[Exception], ...] = (Problem, RequestValidationError, HTTPException)
_TITLES = {403: "Not allowed", 404: "Not found", 409: "Not possible now", 422: "Something is missing"}


def show_refusals(app: FastAPI, sessions: Sessions) -> None:
    """Replace the app's exception handlers for requests to the pages."""

    def as_page(earlier: Any) -> Callable[[Request, Any], Awaitable[Response]]:
        async def handle(request: Request, error: Any) -> Response:
            if request.url.path == BASE or request.url.path.startswith(f"{BASE}/"):
                return await _refused(request, sessions, error)
            response: Response = await earlier(request, error)
            return response

        return handle

    for kind in _REFUSALS:
        app.add_exception_handler(kind, as_page(app.exception_handlers[kind]))


async def _refused(request: Request, sessions: Sessions, error: Any) -> Response:
    try:
        session = await sessions.of(request)
    except SignedOutError:
        session = None
    errors: list[dict[str, str]] = []
    if isinstance(error, RequestValidationError):
        status, detail = HTTPStatus.UNPROCESSABLE_ENTITY, "Some fields are missing or wrong. Go back and correct them."
        errors = field_errors(error.errors())
    elif isinstance(error, Problem):
        status, detail = error.status, error.detail
    else:
        status, detail = HTTPStatus(error.status_code), "There is no such page."
    title = _TITLES.get(status, status.phrase)
    return page("refused", status, session=session, title=title, detail=detail, errors=errors)
