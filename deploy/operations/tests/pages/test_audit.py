"""What the audit trail tells of those who come, are refused and go; what it never keeps, and when it ends."""

import asyncio
import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest
from pydantic import SecretStr, ValidationError

from operations.app import build
from operations.audit import journal, record
from operations.hashes import NameFingerprints
from operations.scheduled_jobs import DeleteOldRecords
from operations.settings import Settings
from shared.signin.sign_in import Refusal
from shared.testing.documents import JsonObject

if TYPE_CHECKING:
    from deploy.operations.tests.pages.conftest import Open


STRANGE = "hunter2 is my password"
AUDIT_ENTRIES = "SELECT what, who, outcome FROM audit ORDER BY entry_id"


async def test_refused_sign_ins_and_sign_outs_are_recorded_without_what_a_stranger_typed(console: "Open") -> None:
    running = await console()
    async with running.service.database.transaction() as tx:
        await tx.execute("UPDATE accounts SET disabled_at = now() WHERE name = 'vera'")
    async with httpx.AsyncClient(timeout=30, trust_env=False) as stranger:
        for name in ("olga", "vera", STRANGE, STRANGE, "another"):
            assert await running.attempt(stranger, "a wrong password", name) == 403, name
        assert await running.attempt(stranger, "a wrong password", "olga\x00") == 422
    async with running.client() as (client, csrf):
        page = await client.get(running.url("/audit"))
        assert "refused by password: wrong name or password" in page.text
        outs = [client.post(running.url("/sign-out"), data={"csrf": csrf}) for _ in range(2)]
        assert {answer.status_code for answer in await asyncio.gather(*outs)} == {303}
    entries = await running.rows(AUDIT_ENTRIES)
    assert [row["what"] for row in entries] == ["sign_in_refused"] * 5 + ["signed_in", "signed_out"]
    olga, vera, strange, again, another = (row["who"] for row in entries[:5])
    assert (olga, vera) == ("staff:olga", "staff:vera")
    assert strange == again != another
    assert strange.startswith("staff:#")
    assert len(strange) == len("staff:#") + 12
    assert hashlib.sha256(STRANGE.encode()).hexdigest()[:12] not in strange, "nobody can try words without the key"
    assert entries[0]["outcome"] == {"refused": "wrong name or password", "means": "password"}
    everything = str(await running.rows("SELECT a::text AS row FROM audit a"))
    for never in ("hunter2", "another", "a wrong password", "correct horse"):
        assert never not in everything


async def test_who_has_to_wait_writes_nothing(console: "Open") -> None:
    running = await console()
    async with httpx.AsyncClient(timeout=30, trust_env=False) as stranger:
        assert [await running.attempt(stranger, "a wrong password", "olga") for _ in range(8)] == [403] * 5 + [429] * 3
    assert len(await running.rows(AUDIT_ENTRIES)) == 5


async def test_a_flood_from_everywhere_fills_no_table(console: "Open") -> None:
    running = await console()
    database, audit = running.service.database, journal(NameFingerprints(SecretStr("x" * 16)))

    async def refuse(number: int, *, later: timedelta = timedelta(0)) -> None:
        async with database.transaction() as tx:
            tx.now += later
            await audit.refused(tx, Refusal(None, f"name {number}", "password", "wrong name or password"))

    for part in range(0, 60, 6):
        await asyncio.gather(*[refuse(number) for number in range(part, part + 6)])
    rows = await running.rows(AUDIT_ENTRIES)
    assert len(rows) == 50
    assert ["further" in row["outcome"] for row in rows] == [False] * 49 + [True]
    async with running.client() as (client, _csrf):
        page = await client.get(running.url("/audit"))
        assert "further ones not written before the hour of these 50 is over" in page.text
    await refuse(60, later=timedelta(minutes=61))
    assert len(await running.rows("SELECT 1 FROM audit WHERE what = 'sign_in_refused'")) == 51


async def test_the_trail_ends_where_the_setting_says_and_not_before_thirty_days(console: "Open") -> None:
    running = await console()
    database = running.service.database
    for days in (29, 31, 60, 399, 401):
        async with database.transaction() as tx:
            tx.now -= timedelta(days=days)
            await record(tx, "staff:olga", "retry", str(days), "because", {})

    async def left() -> list[int]:
        return [int(row["subject"]) for row in await running.rows("SELECT subject FROM audit ORDER BY at DESC")]

    await DeleteOldRecords(database, timedelta(days=1), timedelta(days=400)).delete()
    assert await left() == [29, 31, 60, 399]
    settings: JsonObject = {
        "database_url": running.service.settings.database_url,
        "search_key": "a-search-key-for-tests",
        "audit_keep_days": 50,
    }
    await running.stage.service(build, Settings, **settings)

    async def deleted() -> bool:
        return await left() == [29, 31]

    await running.stage.eventually(deleted)
    async with database.transaction() as tx:
        await tx.execute("DELETE FROM audit WHERE subject = '31'")
    with pytest.raises(psycopg.errors.RaiseException, match="kept for 30 days"):
        async with database.transaction() as tx:
            await tx.execute("DELETE FROM audit")
    assert await left() == [29]
    with pytest.raises(ValidationError, match="audit_keep_days"):
        await running.stage.settings(Settings, "operations", **{**settings, "audit_keep_days": 30})
