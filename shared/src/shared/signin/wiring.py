"""Adds sign-in to a service, and redirects requests without a session to the sign-in page."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from shared.kernel.outbound import OutboundClient
from shared.kernel.service import Service
from shared.signin import openid_routes, password_routes
from shared.signin.oidc import OpenId
from shared.signin.rendering import Pages, redirect
from shared.signin.sessions import FormExpiredError, Sessions, SignedOutError
from shared.signin.sign_in import Journal, SignIn
from shared.signin.site import Access
from shared.signin.unsent import unsent


def serve_sign_in(service: Service, pages: Pages, access: Access, journal: Journal) -> Sessions:
    """Serve the sign-in, style and icon of a site. `journal` writes the audit trail."""
    site = pages.site
    sessions = Sessions(service.database, site, access)
    sign_in = SignIn(service.database, pages, sessions, journal, openid=access.provider is not None)
    if access.provider is not None:
        http = OutboundClient(seconds=10)
        service.closes(http.aclose)
        back = f"{access.public_url.rstrip('/')}{site.base}/oidc/callback"
        openid = OpenId(access.provider, site, service.tracing, http, back)
        service.serves(openid_routes.router(sign_in, openid))
    routes = APIRouter(include_in_schema=False)

    @routes.get(f"{site.base}/style.css")
    async def style() -> Response:
        return pages.style()

    @routes.get(f"{site.base}/icon.svg")
    async def icon() -> Response:
        return pages.icon()

    @service.app.exception_handler(SignedOutError)
    async def signed_out(request: Request, _error: SignedOutError) -> Response:
        return await unsent(pages, request) or redirect(site.sign_in)

    @service.app.exception_handler(FormExpiredError)
    async def form_expired(request: Request, error: FormExpiredError) -> Response:
        return await unsent(pages, request) or error.response()

    service.serves(routes, password_routes.router(sign_in))
    return sessions
