"""A session follows its account, and attempts are counted so that guessing ends and the owner still comes in."""

import asyncio
import io
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import pytest
from argon2 import PasswordHasher

from shared.database import Tx
from shared.signin import accounts as stored_accounts
from shared.signin import passwords
from shared.signin.cli import accounts
from shared.testing.documents import JsonObject
from shared.testing.openid import Provider, openid_provider

if TYPE_CHECKING:
    from deploy.operations.tests.pages.conftest import Console, Open


PASSWORD = "correct horse battery"
NEW_PASSWORD = "another horse battery"


@asynccontextmanager
async def a_browser(running: "Console") -> AsyncIterator[httpx.AsyncClient]:
    async with running.http() as client:
        yield client


def shell(running: "Console", monkeypatch: pytest.MonkeyPatch, *words: str, password: str = "") -> int:
    monkeypatch.setenv("DATABASE_URL", running.service.settings.database_url)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
    return accounts(words, service="operations", kind="staff", roles=("operator", "viewer"))


async def signed_in_as(client: httpx.AsyncClient) -> str | None:
    """`name (role)` as the page shows it; None: nobody is signed in."""
    page = await client.get("/console/audit")
    if page.status_code == 303:
        return None
    return next(shown for role in ("operator", "viewer") if (shown := f"olga ({role})") in page.text)


async def test_a_new_password_ends_the_sessions_of_the_old_one(
    console: "Open", monkeypatch: pytest.MonkeyPatch
) -> None:
    running = await console()
    async with a_browser(running) as client:
        assert await running.attempt(client, PASSWORD) == 303
        assert await signed_in_as(client) == "olga (operator)"
        add = ("add", "olga", "--role", "operator", "--password-stdin")
        assert shell(running, monkeypatch, *add, password=NEW_PASSWORD) == 0
        assert await signed_in_as(client) is None
        assert await running.attempt(client, PASSWORD) == 403
        assert await running.attempt(client, NEW_PASSWORD) == 303


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ("UPDATE accounts SET role = 'viewer' WHERE name = 'olga'", "olga (viewer)"),
        ("UPDATE accounts SET disabled_at = now() WHERE name = 'olga'", None),
        ("UPDATE accounts SET password_hash = 'restored from a backup' WHERE name = 'olga'", None),
        ("DELETE FROM accounts WHERE name = 'olga'", None),
    ],
)
async def test_a_session_is_worth_what_its_account_is_worth_now(console: "Open", change: str, left: str | None) -> None:
    running = await console()
    async with a_browser(running) as client:
        assert await running.attempt(client, PASSWORD) == 303
        async with running.service.database.transaction() as tx:
            await tx.execute(change)
        assert await signed_in_as(client) == left


async def test_an_account_that_changes_while_its_password_is_checked_lets_nobody_in(
    console: "Open", monkeypatch: pytest.MonkeyPatch
) -> None:
    running = await console()
    confirm = stored_accounts.confirm

    async def disabled_meanwhile(tx: Tx, name: str, password_hash: str) -> object:
        async with running.service.database.transaction() as other:
            await other.execute("UPDATE accounts SET disabled_at = now() WHERE name = 'olga'")
        return await confirm(tx, name, password_hash)

    monkeypatch.setattr("shared.signin.sign_in.confirm", disabled_meanwhile)
    async with a_browser(running) as client:
        assert await running.attempt(client, PASSWORD) == 403
    assert await running.rows("SELECT 1 FROM sessions") == []


async def test_concurrent_guesses_are_counted_one_by_one(console: "Open") -> None:
    running = await console()
    async with a_browser(running) as client:
        outcomes = Counter(await asyncio.gather(*(running.attempt(client, f"guess {number}") for number in range(9))))
        # A browser holds one form at a time, so forms that were overtaken are refused as well (403); what counts
        # is how many passwords were checked.
        checked = await running.rows("SELECT 1 FROM audit WHERE what = 'sign_in_refused'")
        assert len(checked) <= 5, outcomes
        while await running.attempt(client, "once more") != 429:
            pass  # an attempt that is refused before the password check (403) is not counted; only 429 is the limit
    assert len(await running.rows("SELECT 1 FROM audit WHERE what = 'sign_in_refused'")) == 5


async def test_nine_browsers_at_once_check_five_passwords(console: "Open") -> None:
    running = await console()

    async def guess(number: int) -> int:
        async with a_browser(running) as client:
            return await running.attempt(client, f"guess {number}")

    outcomes = Counter(await asyncio.gather(*map(guess, range(9))))
    assert outcomes == {403: 5, 429: 4}


async def test_strangers_do_not_keep_the_owner_out_of_a_known_browser(console: "Open") -> None:
    running = await console()
    async with a_browser(running) as owner:
        assert await running.attempt(owner, PASSWORD) == 303
        async with running.service.database.transaction() as tx:
            await tx.execute("DELETE FROM sessions")
        async with a_browser(running) as stranger:
            codes = [await running.attempt(stranger, "guess") for _ in range(6)]
            others = [await running.attempt(stranger, "guess", f"name-{number}") for number in range(30)]
        assert codes == [403] * 5 + [429]
        assert others.count(429) > 0, "the address is limited, too"
        assert await running.attempt(owner, PASSWORD) == 303
        assert [await running.attempt(owner, "guess") for _ in range(6)] == [403] * 5 + [429]  # a stolen browser


async def test_a_success_gives_the_attempts_back(console: "Open") -> None:
    running = await console()
    async with a_browser(running) as client:
        for _ in range(7):
            client.cookies.clear()
            assert await running.attempt(client, PASSWORD) == 303
    assert await running.rows("SELECT 1 FROM sign_in_attempts") == []


async def test_many_sign_ins_at_once_leave_the_service_ready(console: "Open", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher())  # as costly as in production
    running = await console()
    async with a_browser(running) as client, a_browser(running) as watcher:
        shown = await client.get("/console/sign-in")
        form = {"name": "vera", "password": "guess", "token": running.hidden(shown.text, "token")}

        async def guess(number: int) -> int:
            return (await client.post("/console/sign-in", data={**form, "name": f"name-{number}"})).status_code

        guesses = asyncio.gather(*map(guess, range(150)))
        readiness = [(await watcher.get("/health/ready")).status_code]
        outcomes = Counter(await guesses)
        readiness.append((await watcher.get("/health/ready")).status_code)
    assert readiness == [200, 200]
    assert set(outcomes) <= {403, 429, 503}
    assert 1 <= outcomes[403] <= 30, outcomes


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with openid_provider("operations", {"preferred_username": "olga", "roles": ["operations-operator"]}) as made:
        yield made


async def test_disabled_here_is_out_whatever_the_provider_says(
    console: "Open", provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = await console(**provider.settings)
    async with running.service.database.transaction() as tx:
        await tx.execute("DELETE FROM accounts")
    async with a_browser(running) as client:
        assert (await provider.sign_in(client, "/console")).status_code == 303
        assert await signed_in_as(client) == "olga (operator)"
        assert shell(running, monkeypatch, "disable", "olga") == 0
        assert await signed_in_as(client) is None
        refused = await provider.sign_in(client, "/console")
        assert (refused.status_code, "disabled here" in refused.text) == (403, True)
        assert shell(running, monkeypatch, "disable", "olga") == 2
        assert shell(running, monkeypatch, "disable", "stranger") == 2
        assert shell(running, monkeypatch, "disable", "stranger", "--openid") == 0
        assert shell(running, monkeypatch, "enable", "olga") == 0
        assert shell(running, monkeypatch, "enable", "olga") == 2
        assert (await provider.sign_in(client, "/console")).status_code == 303


@pytest.mark.parametrize(
    "claims",
    [
        {"roles": None},
        {"roles": 7},
        {"roles": {"operations-operator": True}},
        {"roles": [None, 7, ["operations-operator"]]},
        {"preferred_username": "two\nlines"},
        {"preferred_username": "nul\x00"},
        {"preferred_username": "x" * 300},
        {"preferred_username": {"name": "olga"}},
        {"preferred_username": ["olga"]},
    ],
    ids=str,
)
async def test_odd_claims_refuse_and_never_break(console: "Open", provider: Provider, claims: JsonObject) -> None:
    running = await console(**provider.settings)
    provider.claims = {"preferred_username": "olga", "roles": ["operations-operator"], **claims}
    async with a_browser(running) as client:
        assert (await provider.sign_in(client, "/console")).status_code == 403
    assert await running.rows("SELECT 1 FROM sessions") == []
