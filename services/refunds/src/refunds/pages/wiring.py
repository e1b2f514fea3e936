"""All pages as one router, and what happens to whoever is not signed in."""

from datetime import timedelta

import httpx
from fastapi import APIRouter, Request
from fastapi.responses import Response

from refunds.desk import Desk
from refunds.pages import case, queue, signing_in, signing_in_elsewhere
from refunds.pages.door import Door
from refunds.pages.oidc import OpenId
from refunds.pages.rendering import redirect, static
from refunds.pages.sessions import SIGN_IN, Sessions, SignedOutError
from refunds.settings import Settings
from shared.kernel.service import Service


def serve_pages(service: Service, settings: Settings, desk: Desk) -> None:
    """Add the agents' pages to a service."""
    sessions = Sessions(service.database, hours=settings.session_hours, public_url=settings.public_url)
    door = Door(service.database, sessions, openid=settings.oidc_issuer is not None)
    if settings.oidc_issuer is not None:
        http = httpx.AsyncClient(timeout=10, trust_env=False)
        service.closes(http.aclose)
        openid = OpenId(settings, service.tracing, http, f"{settings.public_url.rstrip('/')}/agents/oidc/callback")
        service.serves(signing_in_elsewhere.router(door, openid))
    routes = APIRouter(include_in_schema=False)

    @routes.get("/agents/style.css")
    async def style() -> Response:
        return static("style.css", "text/css")

    @routes.get("/agents/icon.svg")
    async def icon() -> Response:
        return static("icon.svg", "image/svg+xml")

    @service.app.exception_handler(SignedOutError)
    async def signed_out(_request: Request, _error: SignedOutError) -> Response:
        return redirect(SIGN_IN)

    service.serves(
        routes,
        signing_in.router(door),
        queue.router(service.database, desk, sessions),
        case.router(service.database, desk, sessions, timedelta(minutes=settings.observation_minutes)),
    )
