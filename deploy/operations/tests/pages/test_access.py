"""Who gets in, who may act, and what a stranger's form may not do."""

import re
from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest

from shared.testing.browser import browser
from shared.testing.facts import paid
from shared.testing.toy import service as toy

if TYPE_CHECKING:
    from deploy.operations.tests.pages.conftest import Look, Open


TOY = "shared.testing.toy"
PAGES = (
    "",
    "/work",
    "/dead-letters",
    "/invariants",
    "/invariants/paid_without_outcome",
    "/api-keys",
    "/webhooks",
    "/audit",
)
SOME_ID = "01900000-0000-7000-8000-000000000001"
LETTER = f"{TOY}/{SOME_ID}"
#: Where a form changes something, or shows what it would change.
ACTIONS = (
    "/dead-letters/preview",
    "/dead-letters/decide",
    "/work/retry",
    "/api-keys/preview",
    "/api-keys/create",
    f"/api-keys/{SOME_ID}/revoke",
    f"/webhooks/{SOME_ID}/enable",
    "/webhooks/redelivery/preview",
    "/webhooks/redelivery",
)
#: The fields of all of them.
FORM = {
    "action": "redrive",
    "words": "I want it",
    "storefront": "esimka",
    "name": "mine",
    "scopes": "orders:read",
    "endpoint_id": SOME_ID,
}


async def test_sign_in_is_refused_and_accepted(console: "Open", look: "Look") -> None:
    running = await console()
    async with browser() as page:
        await page.goto(f"{running.address}/")
        assert page.url.endswith("/console/sign-in")
        await look(page, "sign-in")
        await running.sign_in(page, password="not the password", arrives=False)
        await page.wait("text=Name or password is wrong.")
        await running.sign_in(page)
        assert "olga (operator)" in await page.text()
        assert page.url.endswith("/console")
        for path in PAGES:
            assert await page.goto(running.url(path)) == 200, path
            await look(page, f"empty{path.replace('/', '-')}")
        assert await page.goto(running.url("/invariants/none")) == 404
        assert "There is no invariant of this name." in await page.text()
        assert await page.goto(running.url("/nowhere")) == 404
        await look(page, "refused")
        await page.click("text=Sign out")
        await page.wait("#password")
        for path in PAGES:
            await page.goto(running.url(path))
            assert page.url.endswith("/console/sign-in"), path
    entries = [(row["what"], row["who"]) for row in await running.rows("SELECT what, who FROM audit ORDER BY entry_id")]
    assert entries == [(what, "staff:olga") for what in ("sign_in_refused", "signed_in", "signed_out")]


async def test_a_narrow_window_scrolls_one_way_only(console: "Open") -> None:
    running = await console()
    await running.stage.publish(paid(toy.POISON))
    await running.stage.eventually(lambda: running.of_toy("SELECT 1 FROM dead_letters"))
    [letter] = await running.of_toy("SELECT id FROM dead_letters")
    async with browser(390, 844) as page:
        await running.sign_in(page)
        for path in (*PAGES, f"/dead-letters/{TOY}/{letter['id']}"):
            await page.goto(running.url(path))
            assert not await page.scrolls_sideways(), path


async def test_a_viewer_sees_and_cannot_act(console: "Open") -> None:
    running = await console()
    await running.stage.publish(paid(toy.POISON))
    await running.stage.eventually(lambda: running.of_toy("SELECT 1 FROM dead_letters"))
    [letter] = await running.of_toy("SELECT id FROM dead_letters")
    async with running.client("vera") as (client, csrf):
        shown = await client.get(running.url("/dead-letters"))
        assert "handler failed" in shown.text
        assert "Redrive" not in re.sub(r"Redriving", "", shown.text)
        form = {**FORM, "csrf": csrf, "chosen": f"{TOY}/{letter['id']}"}
        for path in ACTIONS:
            answer = await client.post(running.url(path), data=form)
            assert answer.status_code == 403, path
            assert "You may look, not act." in answer.text, path
    assert [row["state"] for row in await running.of_toy("SELECT state FROM dead_letters")] == ["waiting"]
    assert not await running.of_toy("SELECT 1 FROM operations_log")


async def test_forms_of_others_are_refused(console: "Open") -> None:
    running = await console()
    paths = (*ACTIONS, "/search", "/sign-out")
    async with running.client() as (client, csrf):
        form = {**FORM, "csrf": "invented", "chosen": LETTER, "wanted": "10000001"}
        for path in paths:
            answer = await client.post(running.url(path), data={**form, "words": "word"})
            assert answer.status_code == 403, path
            assert answer.headers["content-type"].startswith("text/html"), path
            assert "This form is not from this page" in answer.text, path
        form["csrf"] = csrf
        for path in paths:
            answer = await client.post(running.url(path), data=form, headers={"origin": "https://evil.example"})
            assert answer.status_code == 403, path
        for missing in ({**form, "words": " "}, {**form, "chosen": "nothing"}, {**form, "words": "two\nlines"}):
            assert (await client.post(running.url("/dead-letters/decide"), data=missing)).status_code == 422, missing
    async with httpx.AsyncClient(trust_env=False) as stranger:
        answer = await stranger.post(running.url("/work/retry"), data=form)
        assert answer.status_code == 403
        assert form["words"] in answer.text, "what was written is not lost"
        answer = await stranger.post(running.url("/work/retry"), data={**form, "words": "word"})
        assert answer.headers["location"] == "/console/sign-in"
    assert [row["what"] for row in await running.rows("SELECT what FROM audit")] == ["signed_in"]


async def test_no_script_runs_and_nobody_frames_a_page(console: "Open") -> None:
    running = await console()
    async with running.client() as (client, _csrf):
        for path in (*PAGES, "?refresh=true", "/nowhere"):
            answer = await client.get(running.url(path))
            policy = answer.headers["content-security-policy"]
            assert policy.startswith("default-src 'none'; style-src 'self'"), path
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert answer.headers["cache-control"] == "no-store"
            assert not re.search(r"<script|\son\w+=|\sstyle=|javascript:", answer.text), path


async def test_elsewhere_refusals_stay_documents(console: "Open") -> None:
    running = await console()
    async with running.http() as client:
        for path, status in (("/nowhere", 404), ("/orders", 401), ("/invariants/none", 401)):
            answer = await client.get(path)
            assert answer.status_code == status, path
            assert answer.headers["content-type"] == "application/problem+json", path


async def test_people_sign_in_at_their_organisation_where_there_is_one(console: "Open") -> None:
    running = await console(oidc_issuer="http://127.0.0.1:9", oidc_client_id="operations")
    async with httpx.AsyncClient(trust_env=False) as client:
        page = await client.get(running.url("/sign-in"))
        assert "Operations people sign in at their organisation." in page.text
        assert "password" not in page.text
        answer = await client.get(running.url("/oidc/start"))
        assert (answer.status_code, "does not answer" in answer.text) == (502, True)
        form = {"name": "olga", "password": "correct horse battery", "token": "x"}
        assert (await client.post(running.url("/sign-in"), data=form)).status_code == 403


async def test_the_trail_cannot_be_rewritten(console: "Open") -> None:
    running = await console()
    async with running.client():
        pass  # signing in is what the trail tells of
    for sql in ("DELETE FROM audit", "UPDATE audit SET who = 'nobody'", "UPDATE audit SET outcome = '{}'"):
        with pytest.raises(psycopg.errors.RaiseException, match="written once"):
            async with running.service.database.transaction() as tx:
                await tx.execute(sql)
