"""An OpenID provider for tests, with the checks of a real one (OpenID Connect Core 1.0 section 3.1)."""

import base64
import hashlib
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Annotated
from urllib.parse import parse_qs, quote, urlsplit

import httpx
from fastapi import FastAPI, Form, Request
from fastapi.responses import JSONResponse
from joserfc import jwt
from joserfc.jwk import RSAKey

from shared.kernel.http import HttpServer
from shared.testing.documents import JsonObject


@asynccontextmanager
async def openid_provider(client: str, claims: Mapping[str, object]) -> AsyncIterator["Provider"]:
    """Run a provider for as long as the block lasts."""
    made = Provider(client, claims)
    await made.server.start()
    try:
        yield made
    finally:
        await made.server.stop()


class Provider:
    """Issues one code per authorisation, to one client. `claims` are added to the ID token, or replace parts of it."""

    def __init__(self, client: str, claims: Mapping[str, object]) -> None:
        self.client, self.secret = client, "client secret"
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self.signing = self.key
        self.claims = claims
        self.traces: list[str] = []
        self.asked: dict[str, str] = {}
        self.used = False
        self.app = FastAPI()
        self.server = HttpServer(self.app, "127.0.0.1", 0)
        self._routes()

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    @property
    def settings(self) -> dict[str, str]:
        """Settings of a service that uses this provider."""
        return {
            "public_url": "http://127.0.0.1",
            "oidc_issuer": self.issuer,
            "oidc_client_id": self.client,
            "oidc_client_secret": self.secret,
        }

    async def sign_in(self, client: httpx.AsyncClient, base: str) -> httpx.Response:
        """Sign in through the provider like a browser; returns the last response of the site under `base`.

        Raises RuntimeError where the site does not send it there.
        """
        begun = await client.get(f"{base}/oidc/start")
        if begun.status_code != HTTPStatus.SEE_OTHER:
            raise RuntimeError(f"{begun.status_code}: {begun.text}")
        return await client.get(self.returned(begun))

    def returned(self, begun: httpx.Response) -> str:
        """The path to which the provider sends a browser that was sent to it."""
        back = urlsplit(self.authorize(begun.headers["location"]))
        return f"{back.path}?{back.query}"

    def authorize(self, url: str) -> str:
        """Confirm a sign-in; returns the address to which the provider sends the browser back.

        Raises RuntimeError where it is not asked for a code that a challenge guards (RFC 7636).
        """
        self.asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        self.used = False
        if (self.asked["response_type"], self.asked["code_challenge_method"]) != ("code", "S256"):
            raise RuntimeError(f"no provider accepts this: {url}")
        return f"{self.asked['redirect_uri']}?code=the-code&state={self.asked['state']}"

    def _routes(self) -> None:
        @self.app.get("/.well-known/openid-configuration")
        async def metadata(request: Request) -> dict[str, str]:
            self.traces.append(request.headers.get("traceparent", ""))
            parts = {"authorization": "authorize", "token": "token"}
            found = {f"{name}_endpoint": f"{self.issuer}/{path}" for name, path in parts.items()}
            return {**found, "issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"}

        @self.app.get("/keys")
        async def keys() -> JsonObject:
            return {"keys": [self.key.as_dict(private=False)]}

        @self.app.post("/token")
        async def token(
            request: Request,
            code: Annotated[str, Form()],
            code_verifier: Annotated[str, Form()],
            redirect_uri: Annotated[str, Form()],
        ) -> JSONResponse:
            challenge = base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).decode().rstrip("=")
            basic = base64.b64encode(f"{self.client}:{quote(self.secret)}".encode()).decode()
            right = (
                code == "the-code"
                and not self.used
                and challenge == self.asked["code_challenge"]
                and redirect_uri == self.asked["redirect_uri"]
                and request.headers.get("authorization") == f"Basic {basic}"
            )
            self.used = True
            if not right:
                return JSONResponse({"error": "invalid_grant"}, HTTPStatus.BAD_REQUEST)
            now = round(time.time())
            claims = {
                "iss": self.issuer,
                "aud": self.client,
                "sub": "u-1",
                "iat": now,
                "exp": now + 300,
                "nonce": self.asked["nonce"],
                **self.claims,
            }
            signed = jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.signing)
            return JSONResponse({"access_token": "x", "token_type": "Bearer", "id_token": signed})
