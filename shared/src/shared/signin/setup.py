"""Adds sign-in to a service, and redirects requests without a session to the sign-in page."""

from typing import cast

from fastapi import APIRouter, Request
from fastapi.responses import Response

from shared.kernel.outbound import OutboundClient
from shared.kernel.problems import Problem
from shared.kernel.service import Service
from shared.signin import openid_routes, password_routes, static_routes
from shared.signin.oidc import OpenId
from shared.signin.refusals import Handler, show_refusals
from shared.signin.rendering import Pages, redirect
from shared.signin.sessions import FormExpiredError, Sessions, SignedOutError
from shared.signin.sign_in import Journal, SignIn
from shared.signin.site import Access
from shared.signin.unsent import unsent


def serve_sign_in(service: Service, pages: Pages, access: Access, journal: Journal) -> Sessions:
    """Serve the sign-in, style and icon of a site, whose refusals become pages. `journal` writes the audit trail.

    Call it after the service's own exception handlers are registered.
    """
    site = pages.site
    sessions = Sessions(service.database, site, access)
    state = service.app.state
    state.sign_in = SignIn(service.database, pages, sessions, journal, openid=access.provider is not None)
    routes = APIRouter(prefix=site.base, include_in_schema=False)
    if access.provider is not None:
        http = OutboundClient(seconds=10)
        service.closes(http.aclose)
        back = f"{access.public_url.rstrip('/')}{site.base}/oidc/callback"
        state.openid = OpenId(access.provider, site, service.tracing, http, back)
        routes.include_router(openid_routes.routes)
    routes.include_router(static_routes.routes)
    routes.include_router(password_routes.routes)

    @service.app.exception_handler(SignedOutError)
    async def signed_out(request: Request, _error: SignedOutError) -> Response:
        return await unsent(pages, request) or redirect(site.sign_in)

    show_refusals(service.app, pages, sessions)
    refused = cast("Handler", service.app.exception_handlers[Problem])  # which show_refusals has registered

    @service.app.exception_handler(FormExpiredError)
    async def form_expired(request: Request, error: FormExpiredError) -> Response:
        return await unsent(pages, request) or await refused(request, error)

    service.serves(routes)
    return sessions
