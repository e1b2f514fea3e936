"""Sign-in by OpenID Connect at the agents' pages."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import httpx
import pytest
from joserfc.jwk import RSAKey

from shared.signin.limits import ELSEWHERE_PER_ADDRESS
from shared.testing.openid import Provider, openid_provider

if TYPE_CHECKING:
    from services.refunds.tests.conftest import Refunds, Start


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with openid_provider("refunds", {"preferred_username": "dina", "roles": ["refunds-agent", "other"]}) as made:
        yield made


#: A running service, and a client of its pages.
Site = tuple["Refunds", httpx.AsyncClient]


@pytest.fixture
async def site(start: "Start", provider: Provider) -> AsyncIterator[Site]:
    running = await start(**provider.settings, trusted_proxies=["127.0.0.0/8"])
    async with running.http() as client:
        yield running, client


async def test_whoever_the_provider_names_is_in_with_their_role(provider: Provider, site: Site) -> None:
    _running, client = site
    page = await client.get("/agents/sign-in")
    assert "Continue to sign-in" in page.text
    assert "password" not in page.text
    answer = await provider.sign_in(client, "/agents")
    assert (answer.status_code, answer.headers["location"]) == (303, "/agents/queue"), answer.text
    assert "dina (agent)" in (await client.get("/agents/queue")).text
    assert provider.traces[0].startswith("00-")
    provider.claims = {"roles": "refunds-supervisor"}
    await provider.sign_in(client, "/agents")
    assert "u-1 (supervisor)" in (await client.get("/agents/queue")).text


async def test_what_does_not_fit_signs_nobody_in(provider: Provider, site: Site) -> None:
    running, client = site
    for wrong, said in (
        ({"nonce": "another"}, "did not confirm"),
        ({"aud": "another"}, "did not confirm"),
        ({"iss": "https://evil.example"}, "did not confirm"),
        ({"exp": 1}, "did not confirm"),
        ({"roles": ["other"]}, "nobody has made you an agent"),
    ):
        provider.claims = {"roles": ["refunds-agent"], **wrong}
        answer = await provider.sign_in(client, "/agents")
        assert answer.status_code == 403, wrong
        assert said in answer.text, wrong
    provider.claims = {"roles": ["refunds-agent"]}
    provider.signing = RSAKey.generate_key(2048, {"kid": "one"})
    assert (await provider.sign_in(client, "/agents")).status_code == 403
    provider.signing = provider.key
    begun = await client.get("/agents/oidc/start")
    back = provider.returned(begun)
    async with httpx.AsyncClient(base_url=client.base_url, trust_env=False) as other:
        assert (await other.get(back)).status_code == 403
    assert (await client.get(back)).status_code == 303
    again = await client.get(back)
    assert again.status_code == 403
    form = {"name": "anna", "password": "x", "token": "y"}
    assert (await client.post("/agents/sign-in", data=form)).status_code == 403
    assert len(await running.rows("SELECT 1 FROM sessions")) == 1


async def test_sign_ins_that_are_only_begun_do_not_fill_the_table(provider: Provider, site: Site) -> None:
    """Also where each begins from another address of one IPv6 network."""
    running, client = site
    begun = await asyncio.gather(
        *(
            client.get("/agents/oidc/start", timeout=60, headers={"x-forwarded-for": f"2a01:5ec0:1:2::{number:x}"})
            for number in range(ELSEWHERE_PER_ADDRESS + 30)
        )
    )
    codes = Counter(answer.status_code for answer in begun)
    assert codes == {303: ELSEWHERE_PER_ADDRESS, 429: 30}
    assert len(await running.rows("SELECT 1 FROM oidc_sign_ins")) == ELSEWHERE_PER_ADDRESS
    assert len(await running.rows("SELECT 1 FROM sign_in_attempts")) == ELSEWHERE_PER_ADDRESS
