"""Routes `<base>/sign-in` (local accounts) and `<base>/sign-out`; `<base>` is the site's."""

import hmac
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from shared.signin.dependencies import SignInDep
from shared.signin.rendering import redirect
from shared.signin.sessions import foreign, same_origin
from shared.signin.sign_in import TooManyAttemptsError, TooManyPeopleError
from shared.values.opaque import Named
from shared.values.text import Exact, Line

_WRONG = "Name or password is wrong."
_WAIT = "Too many attempts. Please wait a quarter of an hour."
_BUSY = "Many people are signing in at this moment. Please try again in a few seconds."
_ELSEWHERE = "Accounts of this page are not used here: sign in at your organisation."


routes = APIRouter()


@routes.get("/sign-in")
async def show(sign_in: SignInDep) -> Response:
    return sign_in.form()


@routes.post("/sign-in")
async def enter(
    request: Request,
    sign_in: SignInDep,
    name: Annotated[str, Line(200, 0), Form()],
    password: Annotated[str, Exact(1000, 0), Form()],
    token: Annotated[Named, Form()],
) -> Response:
    if sign_in.openid:
        return sign_in.form(HTTPStatus.FORBIDDEN, _ELSEWHERE)
    same_origin(request)
    if not hmac.compare_digest(request.cookies.get(sign_in.form_cookie, "").encode(), token.encode()):
        raise foreign()
    try:
        response = await sign_in.enter_by_password(request, name, password)
    except TooManyAttemptsError:
        return sign_in.form(HTTPStatus.TOO_MANY_REQUESTS, _WAIT, name)
    except TooManyPeopleError:
        return sign_in.form(HTTPStatus.SERVICE_UNAVAILABLE, _BUSY, name)
    return response or sign_in.form(HTTPStatus.FORBIDDEN, _WRONG, name)


@routes.post("/sign-out")
async def sign_out(request: Request, sign_in: SignInDep, csrf: Annotated[Named, Form()]) -> Response:
    session = await sign_in.sessions.acting(request, csrf)
    response = redirect(sign_in.site.sign_in)
    await sign_in.leave(request, response, session)
    return response
