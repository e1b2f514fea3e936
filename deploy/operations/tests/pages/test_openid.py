"""People sign in at their organisation: with a role they come in, without they are refused; the trail tells of both."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import httpx
import pytest

from shared.testing.openid import Provider, openid_provider

if TYPE_CHECKING:
    from deploy.operations.tests.pages.conftest import Console, Open


AUDIT_ENTRIES = "SELECT what, who, outcome FROM audit ORDER BY entry_id"
OPERATOR = {"preferred_username": "dina", "roles": ["operations-viewer", "operations-operator", "other"]}


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with openid_provider("operations", OPERATOR) as made:
        yield made


#: The running page, and a client of it.
Site = tuple["Console", httpx.AsyncClient]


@pytest.fixture
async def site(console: "Open", provider: Provider) -> AsyncIterator[Site]:
    running = await console(**provider.settings)
    async with running.http() as client:
        yield running, client


async def test_whoever_has_a_role_comes_in_and_goes(provider: Provider, site: Site) -> None:
    running, client = site
    answer = await provider.sign_in(client, "/console")
    assert (answer.status_code, answer.headers["location"]) == (303, "/console"), answer.text
    page = (await client.get("/console/audit")).text
    assert "dina (operator)" in page
    csrf = page.partition('name="csrf" value="')[2].partition('"')[0]
    assert (await client.post("/console/sign-out", data={"csrf": csrf})).status_code == 303
    assert (await client.get("/console")).headers["location"] == "/console/sign-in"
    provider.claims = {"preferred_username": "vera", "roles": "operations-viewer"}
    await provider.sign_in(client, "/console")
    assert "vera (viewer)" in (await client.get("/console/audit")).text
    entries = await running.rows(AUDIT_ENTRIES)
    assert [(row["what"], row["who"]) for row in entries] == [
        ("signed_in", "staff:dina"),
        ("signed_out", "staff:dina"),
        ("signed_in", "staff:vera"),
    ]
    assert entries[0]["outcome"] == {"means": "openid"}


async def test_whoever_has_no_role_is_refused_by_name(provider: Provider, site: Site) -> None:
    running, client = site
    provider.claims = {"preferred_username": "mallory", "roles": ["other"]}
    answer = await provider.sign_in(client, "/console")
    assert answer.status_code == 403
    assert "nobody has given you a role here yet" in answer.text
    assert (await client.get("/console")).headers["location"] == "/console/sign-in"
    assert await running.rows("SELECT 1 FROM sessions") == []
    [entry] = await running.rows(AUDIT_ENTRIES)
    assert (entry["what"], entry["who"]) == ("sign_in_refused", "staff:mallory")
    assert entry["outcome"]["means"] == "openid"
    assert "nobody has given you a role" in entry["outcome"]["refused"]
    provider.claims = OPERATOR
    await provider.sign_in(client, "/console")
    page = (await client.get("/console/audit")).text
    assert "mallory" in page
    assert "refused by openid: You are known, but" in page


async def test_an_unconfirmed_identity_is_recorded_without_a_name(provider: Provider, site: Site) -> None:
    running, client = site
    provider.claims = {**OPERATOR, "preferred_username": "forged", "nonce": "another"}
    assert (await provider.sign_in(client, "/console")).status_code == 403
    provider.claims = {"preferred_username": "two\nlines", "roles": []}
    assert (await provider.sign_in(client, "/console")).status_code == 403
    begun = await client.get("/console/oidc/start")
    state = provider.returned(begun).partition("state=")[2]
    refused = await client.get("/console/oidc/callback", params={"error": "access_denied", "state": state})
    assert refused.status_code == 403
    entries = await running.rows(AUDIT_ENTRIES)
    assert [row["what"] for row in entries] == ["sign_in_refused"] * 3
    assert entries[0]["who"] == entries[2]["who"] == "staff:(unknown)"
    assert entries[1]["who"].startswith("staff:#")
    assert "forged" not in str(entries)
    assert "did not confirm" in entries[0]["outcome"]["refused"]
    assert "refused, or the sign-in was given up" in entries[2]["outcome"]["refused"]


async def test_what_did_not_begin_here_and_what_has_to_wait_writes_nothing(provider: Provider, site: Site) -> None:
    running, client = site
    for query in ("", "?code=x", "?code=x&state=", "?code=x&state=invented"):
        assert (await client.get(f"/console/oidc/callback{query}")).status_code == 403
    assert await running.rows(AUDIT_ENTRIES) == []
    client.cookies.set("operations_oidc", "invented", path="/console")
    for _ in range(33):
        assert (await client.get("/console/oidc/callback?code=x&state=invented")).status_code == 403
    assert len(await running.rows(AUDIT_ENTRIES)) == 30
    client.cookies.clear()
    provider.claims = OPERATOR
    answer = await provider.sign_in(client, "/console")
    assert answer.status_code == 303, "whom the provider confirms comes in all the same"
