"""Refusals under a site's base path are pages for people; elsewhere they stay problem documents."""

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from shared.signin.rendering import Pages
from shared.signin.sessions import Sessions, SignedOutError

Handler = Callable[[Request, Any], Awaitable[Response]]
_TITLES = {
    403: "Not allowed",
    404: "Not found",
    409: "Not possible now",
    422: "Something is missing",
    429: "Too many at once",
}
#: What people read instead of a detail that is written for programs, by the problem's kind.
_DETAILS = {
    "urn:problem:not-found": "There is no such page.",
    "urn:problem:invalid-request": "Some fields are missing or wrong. Go back and correct them.",
}


def show_refusals(app: FastAPI, pages: Pages, sessions: Sessions) -> None:
    """Show each refusal that the app answers as a page. Call it after the app's exception handlers are registered."""
    base = pages.site.base

    def as_page(earlier: Any) -> Handler:
        async def handle(request: Request, error: Any) -> Response:
            response: Response = await earlier(request, error)
            inside = request.url.path == base or request.url.path.startswith(f"{base}/")
            problem = response.headers.get("content-type") == "application/problem+json"
            return await _page(pages, sessions, request, response) if inside and problem else response

        return handle

    for kind, earlier in list(app.exception_handlers.items()):
        if kind is not Exception:
            app.add_exception_handler(kind, as_page(earlier))


async def _page(pages: Pages, sessions: Sessions, request: Request, refusal: Response) -> Response:
    try:
        session = await sessions.of(request)
    except SignedOutError:
        session = None
    problem = json.loads(bytes(refusal.body))
    status = HTTPStatus(refusal.status_code)
    shown = pages.page(
        "refusal",
        status,
        session=session,
        title=_TITLES.get(status, status.phrase),
        detail=_DETAILS.get(problem["type"], problem["detail"]),
        errors=problem.get("errors", []),
    )
    if "retry-after" in refusal.headers:
        shown.headers["Retry-After"] = refusal.headers["retry-after"]
    return shown
