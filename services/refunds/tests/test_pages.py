"""The agents' pages in a real browser, and what a stranger may not do there."""

import io
import os
import pkgutil
import re
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest
from fastapi.routing import APIRoute

from refunds.agent_pages import routes
from shared.signin.cli import accounts
from shared.signin.passwords import hashed
from shared.testing.browser import Page, browser

if TYPE_CHECKING:
    from services.refunds.tests.conftest import Life, Refunds, Start

PASSWORD = "correct horse battery"
#: Where to put pictures of the pages, for whoever wants to look at them.
SHOTS = os.environ.get("PAGE_PICTURES")


async def pages(start: "Start", **settings: object) -> "Refunds":
    running = await start(public_url="http://127.0.0.1", **settings)
    async with running.service.database.transaction() as tx:
        for name, role in (("anna", "agent"), ("boris", "agent"), ("clara", "supervisor"), ("victor", "viewer")):
            await tx.execute(
                "INSERT INTO accounts (name, password_hash, role, created_at) VALUES (:name, :hashed, :role, :now)",
                name=name,
                hashed=hashed(PASSWORD),
                role=role,
                now=tx.now,
            )
    return running


def url(running: "Refunds", path: str) -> str:
    return f"{running.address}{path}"


async def sign_in(page: Page, running: "Refunds", name: str, *, arrives: bool = True) -> None:
    await page.goto(url(running, "/agents"))
    await page.fill("#name", name)
    await page.fill("#password", PASSWORD)
    await page.driven.keyboard.press("Enter")
    if arrives:
        await page.arrive("**/agents/queue*")


async def shot(page: Page, name: str) -> None:
    if SHOTS is not None:
        await page.screenshot(Path(SHOTS) / f"{name}.png")


async def asked(running: "Refunds", life: "Life", **other: object) -> str:
    body = {
        "reason": "technical_failure",
        "channel": "whatsapp",
        "full_name": "Ann",
        "email": "ann@example.org",
        "payment_date": "2026-11-20",
        "circumstances": "It says: no service. <script>alert(1)</script>",
        "evidence": ["screenshot-17.png"],
        **other,
    }
    answer = await running.post(f"/orders/{life.order_id}/refund-requests", body)
    assert answer.status_code == 201, answer.text
    case_id: str = answer.json()["case_id"]
    return case_id


async def test_an_agent_works_through_a_case_by_keyboard_and_mouse(start: "Start") -> None:
    running = await pages(start)
    now = running.service.clock.now()
    late, soon, other = [await running.delivered(paid_ago=timedelta(days=40)) for _ in range(3)]
    await asked(running, late, received_at=(now - timedelta(days=30)).isoformat())
    case_id = await asked(running, soon)
    # Installed, so that only a failure could grant it.
    await running.stage.publish(soon.observed(now, case_id, state="installed", installed_at=now))
    await running.until_rows("SELECT 1 FROM observations WHERE used_bytes IS NOT NULL")
    await asked(running, other, reason="changed_mind")
    async with browser(1280, 900) as page:
        await sign_in(page, running, "anna")
        await page.wait("h1")
        text = await page.text()
        assert "Open cases" in text
        rows = re.findall(r"1\d{9}", await page.text("tbody"))
        assert rows[0] == late.order_number
        assert await page.evaluate("document.querySelector('tbody .due').className") == "due overdue"
        await shot(page, "queue")
        await page.click(f"text={soon.order_number}")
        await page.wait("text=How the policy reasons")
        text = await page.text()
        for expected in (
            "RF 2.2",
            "operator",
            "screenshot-17.png",
            "0.0 MB",
            "Confirm the technical",
        ):
            assert expected in text, expected
        assert "await restoration" in await page.text("#t-technical_failure")
        await shot(page, "case")
        await page.click('[aria-describedby="t-technical_failure"]')
        await page.wait("text=restoration")
        assert "Service restored" not in await page.text()
        await page.fill("#text", "Asked the operator: ticket 4711")
        await page.click("text=Keep the note")
        await page.wait("text=ticket 4711")
        await shot(page, "case-found")
        assert page.errors == []
        assert all("127.0.0.1" in address for address in page.requests)
        await page.click("text=Sign out")
        await page.wait("#password")
        await page.goto(url(running, f"/agents/cases/{case_id}"))
        assert page.url.endswith("/agents/sign-in")
    [found] = await running.rows("SELECT who, detail FROM audit WHERE what = 'found'")
    assert (found["who"], found["detail"]) == ("agent:anna", {"finding": "technical_failure"})


async def test_a_narrow_window_scrolls_one_way_only(start: "Start") -> None:
    running = await pages(start)
    life = await running.delivered()
    case_id = await asked(running, life)
    async with browser(390, 844) as page:
        await sign_in(page, running, "clara")
        await page.wait("h1")
        for path in ("queue", f"cases/{case_id}", "claims", "oversight", f"orders/{life.order_id}"):
            await page.goto(url(running, f"/agents/{path}"))
            assert not await page.scrolls_sideways(), path
            await shot(page, f"narrow-{path.partition('/')[0]}")


async def test_an_order_is_found_while_no_other_service_answers(start: "Start") -> None:
    """What the others own is not known then; what this service owns is shown."""
    running = await pages(start, services={"ordering": "http://127.0.0.1:9"}, services_key="agent-key")
    life = await running.delivered()
    await running.stage.publish(life.contact())
    await running.until_rows("SELECT 1 FROM contacts")
    case_id = await asked(running, life)
    async with browser() as page:
        await sign_in(page, running, "anna")
        await page.fill('[name="text"]', " Ann@Example.ORG ")
        await page.driven.keyboard.press("Enter")
        await page.arrive(f"**/agents/orders/{life.order_id}")
        assert "not known now: ordering does not answer." in await page.text('[aria-labelledby="buyer"]')
        assert "not known now: payments is not connected here." in await page.text('[aria-labelledby="payments"]')
        assert "It says: no service" in await page.text('[aria-labelledby="messages"]')
        await page.click(f'a[href="/agents/cases/{case_id}"]')
        await page.wait("text=How the policy reasons")
        await page.fill('[name="text"]', "Ann")
        await page.driven.keyboard.press("Enter")
        await page.wait("text=There may be an order all the same.")
    viewed = await running.rows("SELECT DISTINCT who, what, order_id, detail FROM audit WHERE what LIKE '%_viewed'")
    looked = {(row["who"], row["what"], str(row["order_id"]), row["detail"].get("case")) for row in viewed}
    order_id = str(life.order_id)
    assert looked == {
        ("agent:anna", "order_viewed", order_id, None),
        ("agent:anna", "case_viewed", order_id, str(case_id)),
    }
    searched = await running.rows("SELECT who, detail FROM audit WHERE what = 'searched' ORDER BY at")
    assert [(row["who"], row["detail"]) for row in searched] == [
        ("agent:anna", {"orders": 1}),
        ("agent:anna", {"orders": 0}),
    ]


async def test_an_appeal_is_answered_by_somebody_else_with_the_law_named(start: "Start") -> None:
    running = await pages(start)
    life = await running.delivered()
    case_id = await asked(running, life)
    now = running.service.clock.now()
    async with browser() as page:
        await sign_in(page, running, "anna")
        await page.goto(url(running, f"/agents/cases/{case_id}"))
        await page.click('[aria-describedby="t-no_failure"]')
        await page.wait("text=observing")
        await running.stage.publish(life.observed(now, case_id, installed_at=now, activated_at=now, used_bytes=7))
        denied = "SELECT 1 FROM cases WHERE closed_as = 'denied'"
        await running.until_rows(denied)
        await running.post(f"/cases/{case_id}/appeals", {"text": "It never worked"}, "esimka-key")
        await page.goto(url(running, f"/agents/cases/{case_id}"))
        assert "The appeal is for somebody else" in await page.text()
        await page.click("text=Sign out")
        await sign_in(page, running, "boris")
        await page.goto(url(running, f"/agents/cases/{case_id}"))
        assert "Decide on the facts as they are" in await page.text()
        await shot(page, "appeal")
        await page.fill("#rule", "Civil Code of Georgia, art. 336")
        await page.driven.press("#rule", "Enter")
        await page.wait("text=revoking")
        assert "art. 336" in await page.text("#today ~ .answer")


async def test_supervisors_oversee_and_agents_do_not(start: "Start") -> None:
    running = await pages(start)
    life = await running.delivered("qazaq-esim")
    await running.post("/claims", {"order": life.order_number, "reference": "2026/17"}, "qazaq-key")
    async with browser() as page:
        await sign_in(page, running, "clara")
        await page.goto(url(running, "/agents/claims"))
        assert "2026/17" in await page.text()
        await shot(page, "claims")
        await page.click("text=2026/17")
        await page.click('[aria-label="Claim 2026/17 is answered"]')
        await page.wait("text=No open claims")
        await page.goto(url(running, "/agents/oversight"))
        await shot(page, "oversight")
        await page.click('[aria-label="Disable boris"]')
        await page.wait("text=disabled")
        await page.click("text=Sign out")
        await sign_in(page, running, "boris", arrives=False)
        await page.wait("text=Name or password is wrong")
        await sign_in(page, running, "anna")
        await page.wait("h1")
        assert await page.goto(url(running, "/agents/oversight")) == 403


async def test_viewers_read_everything_and_change_nothing(start: "Start") -> None:
    running = await pages(start, support_mail_keys={"esimka": "key-of-the-mail-provider"})
    life = await running.delivered()
    case_id = await asked(running, life)
    async with browser() as page:
        await sign_in(page, running, "victor")
        await page.goto(url(running, f"/agents/cases/{case_id}"))
        assert "How the policy reasons" in await page.text()
        forms = await page.evaluate("[...document.forms].map(form => new URL(form.action).pathname)")
        assert forms == ["/agents/search", "/agents/sign-out"]
        csrf = await page.evaluate("document.querySelector('[name=csrf]').value")
        every = await page.driven.context.cookies()
    cookies = {cookie["name"]: cookie["value"] for cookie in every}
    some = str(life.order_id)
    modules = [import_module(f"{routes.__name__}.{found.name}") for found in pkgutil.iter_modules(routes.__path__)]
    every_route = [route for module in modules for route in module.routes.routes if isinstance(route, APIRoute)]
    posted = {route.path for route in every_route if "POST" in (route.methods or ())} - {"/agents/search"}
    assert len(posted) > 8
    async with httpx.AsyncClient(base_url=url(running, ""), trust_env=False, cookies=cookies) as client:
        for path in sorted(posted):
            answer = await client.post(re.sub(r"\{\w+\}", some, path), data={"csrf": csrf})
            assert (answer.status_code, path) == (403, path)


async def test_addresses_of_one_ipv6_network_share_the_attempts(start: "Start") -> None:
    """Whoever guesses passwords has 2^64 addresses; a neighbour's network is not affected."""
    running = await pages(start, trusted_proxies=["127.0.0.0/8"])
    async with httpx.AsyncClient(base_url=url(running, ""), trust_env=False) as client:

        async def attempt(address: str) -> int:
            shown = await client.get("/agents/sign-in")
            token = re.search(r'name="token" value="([^"]+)"', shown.text)
            assert token is not None
            form = {"name": "anna", "password": "wrong", "token": token[1]}
            headers = {"x-forwarded-for": address}
            return (await client.post("/agents/sign-in", data=form, headers=headers)).status_code

        rotating = [await attempt(f"2a01:5ec0:1:2:{number:x}::1") for number in range(6)]
        assert rotating == [403] * 5 + [429]
        assert await attempt("2a01:5ec0:1:3::1") == 403


async def test_guessing_is_slowed_and_forms_of_others_are_refused(start: "Start") -> None:
    running = await pages(start)
    life = await running.delivered()
    case_id = await asked(running, life)
    async with httpx.AsyncClient(base_url=url(running, ""), trust_env=False) as client:

        async def attempt(password: str, name: str = "anna") -> httpx.Response:
            shown = await client.get("/agents/sign-in")
            token = re.search(r'name="token" value="([^"]+)"', shown.text)
            assert token is not None
            return await client.post("/agents/sign-in", data={"name": name, "password": password, "token": token[1]})

        assert [(await attempt("wrong")).status_code for _ in range(6)] == [403] * 5 + [429]
        assert (await attempt(PASSWORD)).status_code == 429
        assert (await attempt(PASSWORD, "boris")).status_code == 303
        [entry] = await running.rows("SELECT who, detail FROM audit WHERE what = 'signed_in'")
        assert (entry["who"], entry["detail"]) == ("agent:boris", {"means": "password"})
        cookie = client.cookies["refunds_session"]
        assert not await running.rows(f"SELECT 1 FROM sessions s WHERE s::text LIKE '%{cookie}%'")
        form = {"csrf": "invented", "action": "technical_failure"}
        refused = await client.post(f"/agents/cases/{case_id}/decide", data=form)
        assert (refused.status_code, "This form is not from this page" in refused.text) == (403, True)
        unknown = await client.get(f"/agents/cases/{life.order_id}")
        for answer in (refused, unknown, await client.get("/agents/nowhere")):
            assert answer.headers["content-type"].startswith("text/html"), "people read pages"
        assert (unknown.status_code, "Sign out" in unknown.text) == (404, True)
        page = await client.get(f"/agents/cases/{case_id}")
        csrf = re.search(r'name="csrf" value="([^"]+)"', page.text)
        assert csrf is not None
        foreign = {"origin": "https://evil.example"}
        seen = re.search(r'name="seen" value="(\d+)"', page.text)
        assert seen is not None
        form |= {"csrf": csrf[1], "seen": seen[1]}
        path = f"/agents/cases/{case_id}/decide"
        assert (await client.post(path, data=form, headers=foreign)).status_code == 403
        assert (await client.post(path, data={**form, "action": "legal_rule"})).status_code == 422
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
        assert "<script>alert" not in page.text
        assert (await client.post(path, data=form)).status_code == 303
        later = await client.post(path, data={**form, "action": "legal_rule", "rule": "Civil Code, art. 336"})
        assert later.status_code == 409, "what the first button changed is shown before a second one counts"
        assert "boris" in later.text
        assert later.text.count("Civil Code, art. 336") == 1, "each form gets back only what was typed in it"
        assert 'value="Civil Code, art. 336"' in later.text
        assert (await client.post("/agents/sign-out", data={"csrf": csrf[1]})).status_code == 303
        lost = await client.post(f"/agents/cases/{case_id}/notes", data={"csrf": csrf[1], "text": "Called <b>him</b>."})
        assert lost.status_code == 403
        assert "Called &lt;b&gt;him&lt;/b&gt;." in lost.text, "a session that ended loses no text"
        elsewhere = await client.post(
            f"/agents/cases/{case_id}/notes", data={"csrf": "x", "text": "Buy this now."}, headers=foreign
        )
        assert "Buy" not in elsewhere.text
        assert (await client.get("/agents/queue")).headers["location"] == "/agents/sign-in"
    assert not await running.rows("SELECT 1 FROM audit a WHERE a::text LIKE '%wrong%'")


async def test_secure_cookies_unless_the_address_is_plain(start: "Start") -> None:
    running = await start(public_url="https://refunds.example")
    answer = await running.get("/agents/sign-in", None)
    cookie = answer.headers["set-cookie"]
    assert "Secure" in cookie
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()


async def test_accounts_from_the_shell(
    start: "Start", monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    running = await start()
    address = running.service.settings.database_url
    monkeypatch.setenv("DATABASE_URL", address)

    def call(password: str, *words: str) -> int:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
        return accounts(words, service="refunds", kind="agent", roles=("agent", "supervisor"))

    assert call("short", "add", "dina", "--role", "agent", "--password-stdin") == 2
    assert call(PASSWORD, "add", "dina", "--role", "supervisor", "--password-stdin") == 0
    assert call("", "list") == 0
    assert capsys.readouterr().out == "dina\tsupervisor\n"
    monkeypatch.delenv("DATABASE_URL")
    assert call("", "list") == 2
    (tmp_path / "database_url").write_text(f"{address}\n")
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    assert call("", "list") == 0
    assert capsys.readouterr().out == "dina\tsupervisor\n"
    assert call("", "disable", "dina") == 0
    assert call("", "disable", "nobody") == 2
    with psycopg.connect(address.replace("+psycopg", "")) as connection:
        row = connection.execute("SELECT password_hash FROM accounts WHERE disabled_at IS NOT NULL").fetchone()
    assert row is not None
    assert row[0].startswith("$argon2id$")
