"""Sign-in by OpenID Connect, against a small provider of the test's own that checks what providers check."""

import base64
import hashlib
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI, Form, Request
from joserfc import jwt
from joserfc.jwk import RSAKey

from shared.kernel.http import HttpServer

CLIENT, SECRET = "refunds", "client secret"


class Provider:
    """Issues one code per authorisation; `claims` are added to the ID token, or replace what is in it."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self.signing = self.key
        self.claims: dict[str, Any] = {"preferred_username": "dina", "roles": ["refunds-agent", "other"]}
        self.traces: list[str] = []
        self.asked: dict[str, str] = {}
        self.used = False
        self.app = FastAPI()
        self.server = HttpServer(self.app, "127.0.0.1", 0)
        self._routes()

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server.port}"

    def authorize(self, url: str) -> str:
        """What the provider does when the person agrees: the address to send the browser back to."""
        self.asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        self.used = False
        assert self.asked["code_challenge_method"] == "S256"
        assert self.asked["response_type"] == "code"
        return f"{self.asked['redirect_uri']}?code=the-code&state={self.asked['state']}"

    def _routes(self) -> None:
        @self.app.get("/.well-known/openid-configuration")
        async def metadata(request: Request) -> dict[str, str]:
            self.traces.append(request.headers.get("traceparent", ""))
            parts = {"authorization": "authorize", "token": "token"}
            found = {f"{name}_endpoint": f"{self.issuer}/{path}" for name, path in parts.items()}
            return {**found, "issuer": self.issuer, "jwks_uri": f"{self.issuer}/keys"}

        @self.app.get("/keys")
        async def keys() -> dict[str, Any]:
            return {"keys": [self.key.as_dict(private=False)]}

        @self.app.post("/token")
        async def token(
            request: Request,
            code: Annotated[str, Form()],
            code_verifier: Annotated[str, Form()],
            redirect_uri: Annotated[str, Form()],
        ) -> Any:
            challenge = base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).decode().rstrip("=")
            basic = base64.b64encode(f"{CLIENT}:client%20secret".encode()).decode()
            right = (
                code == "the-code"
                and not self.used
                and challenge == self.asked["code_challenge"]
                and redirect_uri == self.asked["redirect_uri"]
                and request.headers["authorization"] == f"Basic {basic}"
            )
            self.used = True
            assert right
            now = round(time.time())
            claims = {
                "iss": self.issuer,
                "aud": CLIENT,
                "sub": "u-1",
                "iat": now,
                "exp": now + 300,
                "nonce": self.asked["nonce"],
                **self.claims,
            }
            signed = jwt.encode({"alg": "RS256", "kid": "one"}, claims, self.signing)
            return {"access_token": "x", "token_type": "Bearer", "id_token": signed}


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    made = Provider()
    await made.server.start()
    yield made
    await made.server.stop()


async def signed_in(running: Any, provider: Provider, client: httpx.AsyncClient) -> httpx.Response:
    begun = await client.get("/agents/oidc/start")
    assert begun.status_code == 303, begun.text
    back = urlsplit(provider.authorize(begun.headers["location"]))
    return await client.get(f"{back.path}?{back.query}")


@pytest.fixture
async def site(start: Any, provider: Provider) -> AsyncIterator[tuple[Any, httpx.AsyncClient]]:
    running = await start(
        public_url="http://127.0.0.1",
        oidc_issuer=provider.issuer,
        oidc_client_id=CLIENT,
        oidc_client_secret=SECRET,
    )
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.service.port}", trust_env=False) as client:
        yield running, client


async def test_whoever_the_provider_names_is_in_with_their_role(provider: Provider, site: Any) -> None:
    running, client = site
    page = await client.get("/agents/sign-in")
    assert "Continue to sign-in" in page.text
    assert "password" not in page.text
    answer = await signed_in(running, provider, client)
    assert (answer.status_code, answer.headers["location"]) == (303, "/agents/queue"), answer.text
    assert "dina (agent)" in (await client.get("/agents/queue")).text
    assert provider.traces[0].startswith("00-")
    provider.claims = {"roles": "refunds-supervisor"}
    await signed_in(running, provider, client)
    assert "u-1 (supervisor)" in (await client.get("/agents/queue")).text


async def test_what_does_not_fit_signs_nobody_in(provider: Provider, site: Any) -> None:
    running, client = site
    for wrong, said in (
        ({"nonce": "another"}, "did not confirm"),
        ({"aud": "another"}, "did not confirm"),
        ({"iss": "https://evil.example"}, "did not confirm"),
        ({"exp": 1}, "did not confirm"),
        ({"roles": ["other"]}, "nobody has made you an agent"),
    ):
        provider.claims = {"roles": ["refunds-agent"], **wrong}
        answer = await signed_in(running, provider, client)
        assert answer.status_code == 403, wrong
        assert said in answer.text, wrong
    provider.claims = {"roles": ["refunds-agent"]}
    provider.signing = RSAKey.generate_key(2048, {"kid": "one"})
    assert (await signed_in(running, provider, client)).status_code == 403
    provider.signing = provider.key
    begun = await client.get("/agents/oidc/start")
    back = urlsplit(provider.authorize(begun.headers["location"]))
    async with httpx.AsyncClient(base_url=client.base_url, trust_env=False) as other:
        assert (await other.get(f"{back.path}?{back.query}")).status_code == 403
    assert (await client.get(f"{back.path}?{back.query}")).status_code == 303
    again = await client.get(f"{back.path}?{back.query}")
    assert again.status_code == 403
    form = {"name": "anna", "password": "x", "token": "y"}
    assert (await client.post("/agents/sign-in", data=form)).status_code == 403
    assert len(await running.rows("SELECT 1 FROM sessions")) == 1
