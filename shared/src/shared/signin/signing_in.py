"""`<base>/sign-in` by local accounts, `<base>/sign-out`."""

import hmac
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from shared.signin.door import Door, TooManyAttemptsError, TooManyPeopleError
from shared.signin.rendering import redirect
from shared.signin.sessions import foreign, same_origin
from shared.values.opaque import Named
from shared.values.text import Exact, Line

_WRONG = "Name or password is wrong."
_WAIT = "Too many attempts. Please wait a quarter of an hour."
_BUSY = "Many people are signing in at this moment. Please try again in a few seconds."
_ELSEWHERE = "Accounts of this page are not used here: sign in at your organisation."


def router(door: Door) -> APIRouter:
    """Signing in and out."""
    routes = APIRouter(include_in_schema=False)

    @routes.get(door.site.sign_in)
    async def show() -> Response:
        return door.form()

    @routes.post(door.site.sign_in)
    async def sign_in(
        request: Request,
        name: Annotated[str, Line(200, 0), Form()],
        password: Annotated[str, Exact(1000, 0), Form()],
        token: Annotated[Named, Form()],
    ) -> Response:
        if door.openid:
            return door.form(HTTPStatus.FORBIDDEN, _ELSEWHERE)
        same_origin(request)
        if not hmac.compare_digest(request.cookies.get(door.form_cookie, "").encode(), token.encode()):
            raise foreign()
        try:
            entered = await door.enter_by_password(request, name, password)
        except TooManyAttemptsError:
            return door.form(HTTPStatus.TOO_MANY_REQUESTS, _WAIT, name)
        except TooManyPeopleError:
            return door.form(HTTPStatus.SERVICE_UNAVAILABLE, _BUSY, name)
        return entered or door.form(HTTPStatus.FORBIDDEN, _WRONG, name)

    @routes.post(f"{door.site.base}/sign-out")
    async def sign_out(request: Request, csrf: Annotated[Named, Form()]) -> Response:
        session = await door.sessions.acting(request, csrf)
        response = redirect(door.site.sign_in)
        await door.leave(request, response, session)
        return response

    return routes
