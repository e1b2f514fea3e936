"""`python -m ordering keys`, as a person types it: another process than the one that serves."""

import asyncio
import json
import os
import sys
from typing import TYPE_CHECKING

import pytest

from ordering.app import build
from ordering.settings import Settings
from shared.contracts import ApiKeyChanged
from shared.kernel.problems import Problem
from shared.keys.shop_keys import CACHED_SECONDS, ShopKeys
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.ordering.tests.conftest import Shop, StartShop


@pytest.fixture
async def shop(shop_of: "StartShop") -> "Shop":
    return await shop_of(build, Settings)


async def run(shop: "Shop", *words: str) -> tuple[int, str, str]:
    """The exit code, the output and the errors of a command."""
    url = shop.service.database.engine.url.render_as_string(hide_password=False)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "ordering",
        "keys",
        *words,
        env={**os.environ, "DATABASE_URL": url, "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    return process.returncode or 0, output.decode(), errors.decode()


async def test_a_key_made_in_the_shell_works_and_is_published(shop: "Shop", stage: Stage) -> None:
    code, output, errors = await run(shop, "create", "esimka", "--name", "report", "--scope", "orders:read", "--json")
    assert (code, errors) == (0, "")
    created = json.loads(output)
    headers = {"Authorization": f"Bearer {created['key']}"}
    assert (await shop.http.get("/storefront", headers=headers)).json()["slug"] == "esimka"
    [event] = await stage.events(ApiKeyChanged)
    assert (str(event.event.key_id), event.event.scopes) == (created["key_id"], ("orders:read",))

    code, output, errors = await run(shop, "list", "esimka")
    assert (code, errors) == (0, "")
    assert created["prefix"] in output
    assert created["key"] not in output

    code, output, errors = await run(shop, "revoke", created["key_id"], "--reason", "not needed any more")
    assert (code, errors) == (0, "")
    assert "revoked" in output
    revoked = await stage.events(ApiKeyChanged, where=lambda event: event.revoked_at is not None)
    assert str(revoked[0].event.key_id) == created["key_id"]
    await stage.eventually(lambda: _is_refused(shop, created["key"]))


async def _is_refused(shop: "Shop", key: str) -> bool:
    return (await shop.http.get("/storefront", headers={"Authorization": f"Bearer {key}"})).status_code == 401


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("create", "no-such-shop", "--name", "site"), "storefront: is not in the catalogue"),
        (("create", "esimka", "--name", ""), "name: "),
        (("create", "esimka", "--name", "site", "--test"), "test: "),
        (("create", "esimka", "--name", "site", "--days", "-1"), "expires_at: must be in the future"),
        (("revoke", "019aa5b0-2f10-7c44-9d5e-0c6b1f9a7e21", "--reason", "because"), "There is no such key."),
        (("revoke", "019aa5b0-2f10-7c44-9d5e-0c6b1f9a7e21", "--reason", "\x1b[2J"), ""),
    ],
)
async def test_what_cannot_be_is_refused_with_the_reason(shop: "Shop", words: tuple[str, ...], reason: str) -> None:
    code, output, errors = await run(shop, *words)
    assert (code, output) == (2, "")
    assert errors.startswith("ordering: ")
    assert reason in errors


async def test_a_revocation_by_another_process_is_in_force_after_the_cached_state_ends(shop: "Shop") -> None:
    _, output, _ = await run(shop, "create", "esimka", "--name", "site", "--json")
    created, now = json.loads(output), [1000.0]
    keys = ShopKeys(shop.service.database, {}, sandbox=False, monotonic=lambda: now[0])
    header = f"Bearer {created['key']}"
    assert (await keys.caller(header)).storefront == "esimka"
    await run(shop, "revoke", created["key_id"], "--reason", "lost")
    assert (await keys.caller(header)).storefront == "esimka"  # as it was a moment ago
    now[0] += CACHED_SECONDS
    with pytest.raises(Problem) as refused:
        await keys.caller(header)
    assert refused.value.kind == "revoked-api-key"
