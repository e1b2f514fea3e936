"""Routes `<base>/oidc/start` and `<base>/oidc/callback`: to the OpenID provider and back."""

import hmac
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import Response

from shared.kernel.dependencies import RequestTrace
from shared.signin.dependencies import OpenIdDep, SignInDep
from shared.signin.limits import begin_elsewhere
from shared.signin.oidc import LASTS, NotSignedInError, keep, take
from shared.signin.rendering import redirect
from shared.signin.sign_in import SignIn, address_of
from shared.values.opaque import Credential, Named

_NOT_BEGUN = "The sign-in did not begin in this browser, or was given up."
_TOO_MANY = "Too many sign-ins were begun from your network. Please wait a quarter of an hour."
_REFUSED = "The sign-in provider sent nobody back: it refused, or the sign-in was given up."


routes = APIRouter()


@routes.get("/oidc/start")
async def start(request: Request, sign_in: SignInDep, openid: OpenIdDep, trace: RequestTrace) -> Response:
    async with sign_in.database.transaction() as tx:
        begins = await begin_elsewhere(tx, address_of(request))
    if not begins:
        return sign_in.form(HTTPStatus.TOO_MANY_REQUESTS, _TOO_MANY)
    try:
        begun = await openid.begin(trace)
    except NotSignedInError as error:
        return sign_in.form(HTTPStatus.BAD_GATEWAY, str(error))
    async with sign_in.database.transaction() as tx:
        await keep(tx, begun)
    response = redirect(begun.url)
    sign_in.sessions.set_cookie(response, _state_cookie(sign_in), begun.state, LASTS)
    return response


@routes.get("/oidc/callback")
async def callback(
    request: Request,
    sign_in: SignInDep,
    openid: OpenIdDep,
    trace: RequestTrace,
    state: Named = "",
    code: Credential = "",
) -> Response:
    expected = request.cookies.get(_state_cookie(sign_in), "")
    if not state or not hmac.compare_digest(expected.encode(), state.encode()):
        return sign_in.form(HTTPStatus.FORBIDDEN, _NOT_BEGUN)
    if not code:
        return await sign_in.not_confirmed(request, _REFUSED)
    try:
        async with sign_in.database.transaction() as tx:
            begun = await take(tx, state)
        person = await openid.finish(begun, code, sign_in.database.clock.now(), trace)
    except NotSignedInError as error:
        return await sign_in.not_confirmed(request, str(error), error.name)
    response = await sign_in.enter_by_openid(request, person)
    sign_in.sessions.drop_cookie(response, _state_cookie(sign_in))
    return response


def _state_cookie(sign_in: SignIn) -> str:
    """The name of the cookie that binds a state to the browser. A state works once."""
    return f"{sign_in.site.name}_oidc"
