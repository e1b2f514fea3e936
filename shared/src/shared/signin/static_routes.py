"""Routes `<base>/style.css` and `<base>/icon.svg`."""

from fastapi import APIRouter
from fastapi.responses import Response

from shared.signin.dependencies import SignInDep

routes = APIRouter()


@routes.get("/style.css")
async def style(sign_in: SignInDep) -> Response:
    return sign_in.pages.style()


@routes.get("/icon.svg")
async def icon(sign_in: SignInDep) -> Response:
    return sign_in.pages.icon()
