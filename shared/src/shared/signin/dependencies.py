"""FastAPI dependencies of the sign-in routes: what `setup.serve_sign_in` has assembled for the site of this app."""

from typing import Annotated

from fastapi import Depends, Request

from shared.signin.oidc import OpenId
from shared.signin.sign_in import SignIn


async def _sign_in(request: Request) -> SignIn:
    sign_in: SignIn = request.app.state.sign_in
    return sign_in


async def _openid(request: Request) -> OpenId:
    openid: OpenId = request.app.state.openid
    return openid


SignInDep = Annotated[SignIn, Depends(_sign_in)]
OpenIdDep = Annotated[OpenId, Depends(_openid)]
