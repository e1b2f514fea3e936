"""Routes `<base>/oidc/start` and `<base>/oidc/callback`: to the OpenID provider and back."""

import hmac
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import Response

from shared.signin.limits import begin_elsewhere
from shared.signin.oidc import LASTS, NotSignedInError, OpenId, keep, take
from shared.signin.rendering import redirect
from shared.signin.sign_in import SignIn, address_of
from shared.values.opaque import Credential, Named

_NOT_BEGUN = "The sign-in did not begin in this browser, or was given up."
_TOO_MANY = "Too many sign-ins were begun from your network. Please wait a quarter of an hour."
_REFUSED = "The sign-in provider sent nobody back: it refused, or the sign-in was given up."


def router(sign_in: SignIn, openid: OpenId) -> APIRouter:
    """The routes of one site. A cookie binds the state to the browser, and the state works once."""
    routes = APIRouter(include_in_schema=False)
    state_cookie = f"{sign_in.site.name}_oidc"

    @routes.get(f"{sign_in.site.base}/oidc/start")
    async def start(request: Request) -> Response:
        async with sign_in.database.transaction() as tx:
            begins = await begin_elsewhere(tx, address_of(request))
        if not begins:
            return sign_in.form(HTTPStatus.TOO_MANY_REQUESTS, _TOO_MANY)
        try:
            begun = await openid.begin(request.state.trace)
        except NotSignedInError as error:
            return sign_in.form(HTTPStatus.BAD_GATEWAY, str(error))
        async with sign_in.database.transaction() as tx:
            await keep(tx, begun)
        response = redirect(begun.url)
        sign_in.sessions.set_cookie(response, state_cookie, begun.state, LASTS)
        return response

    @routes.get(f"{sign_in.site.base}/oidc/callback")
    async def callback(request: Request, state: Named = "", code: Credential = "") -> Response:
        if not state or not hmac.compare_digest(request.cookies.get(state_cookie, "").encode(), state.encode()):
            return sign_in.form(HTTPStatus.FORBIDDEN, _NOT_BEGUN)
        if not code:
            return await sign_in.not_confirmed(request, _REFUSED)
        try:
            async with sign_in.database.transaction() as tx:
                begun = await take(tx, state)
            person = await openid.finish(begun, code, sign_in.database.clock.now(), request.state.trace)
        except NotSignedInError as error:
            return await sign_in.not_confirmed(request, str(error), error.name)
        response = await sign_in.enter_by_openid(request, person)
        sign_in.sessions.drop_cookie(response, state_cookie)
        return response

    return routes
