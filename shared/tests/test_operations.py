"""The operations desk of a service: what it shows, what it decides, and that it shows nobody's data."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from shared.contracts import QrDelivered
from shared.ids import uuid7
from shared.kernel.service import Service
from shared.testing.facts import paid
from shared.testing.stage import Stage
from shared.testing.toy import service as toy
from shared.testing.toy.settings import Settings

KEY = "an operations key"
CANARY = "Zhanna Canary"
CANARY_MAIL = "zhanna.canary@example.org"
WHY = "the fault is repaired"


async def start(stage: Stage, **options: Any) -> Service:
    def build(settings: Settings) -> Service:
        return toy.build(settings, **options)

    return await stage.service(build, Settings, operations_keys={"operations": SecretStr(KEY)})


@asynccontextmanager
async def desk(service: Service, key: str | None = KEY) -> AsyncIterator[httpx.AsyncClient]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    base = f"http://127.0.0.1:{service.port}/operations"
    async with httpx.AsyncClient(base_url=base, headers=headers, timeout=30, trust_env=False) as client:
        yield client


async def query(service: Service, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
    async with service.database.reading() as tx:
        return [tuple(row) for row in await tx.execute(sql, **parameters)]


async def put_aside(stage: Stage, service: Service, count: int) -> list[tuple[Any, ...]]:
    """The letters' (id, key), the oldest first, once there are so many."""

    async def there() -> list[tuple[Any, ...]]:
        found = await query(service, "SELECT id, key FROM dead_letters ORDER BY id")
        return found if len(found) >= count else []

    found: list[tuple[Any, ...]] = await stage.eventually(there)
    return found


async def answer(client: httpx.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    response = await client.post(path, json={"reason": WHY, **body})
    assert response.status_code == HTTPStatus.OK, response.text
    found: dict[str, Any] = response.json()
    return found


async def test_nobody_comes_in_without_a_key_and_without_keys_there_is_no_desk(stage: Stage) -> None:
    service = await start(stage)
    for key in (None, "wrong"):
        async with desk(service, key) as client:
            for path in ("/summary", "/dead-letters", f"/dead-letters/{uuid7()}", "/work", "/log"):
                refused = await client.get(path)
                assert (refused.status_code, refused.json()["type"]) == (401, "urn:problem:unknown-operations-key")
            for path in ("/dead-letters/redrive", "/dead-letters/discard", "/work/retry"):
                assert (await client.post(path, json={})).status_code == HTTPStatus.UNAUTHORIZED
    closed = await stage.service(toy.build, Settings)
    async with desk(closed) as client:
        assert (await client.get("/summary")).status_code == HTTPStatus.NOT_FOUND


async def test_a_fact_whose_handler_failed_is_applied_once_its_cause_is_gone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = await start(stage)
    fact = paid(toy.POISON)
    [sent] = await stage.publish(fact)
    [(letter, key)] = await put_aside(stage, service, 1)
    assert key == str(fact.order_id)
    async with desk(service) as client:
        again = await answer(client, "/dead-letters/redrive", ids=[str(letter)])
        assert again["taken"] == []
        assert again["refused"][0]["reason"].startswith("its handler failed again: ValueError at service.py:")
        shown = (await client.get(f"/dead-letters/{letter}")).json()
        assert (shown["state"], shown["redrives"], shown["reason"]) == ("waiting", 1, "handler_failed")
        assert shown["payload"]["order_id"] == str(fact.order_id)

        monkeypatch.setattr(toy, "POISON", "nothing")
        done = await answer(client, "/dead-letters/redrive", ids=[str(letter)])
        assert (done["taken"], done["refused"], done["left"]) == ([str(letter)], [], 0)
        assert len(await stage.events(QrDelivered)) == 1
        once_more = await answer(client, "/dead-letters/redrive", ids=[str(letter)])
        assert once_more["taken"] == []
        shown = (await client.get(f"/dead-letters/{letter}")).json()
        assert (shown["state"], shown["decided_by"], shown["decision"]) == ("redriven", "operations", WHY)
        await stage.republish(sent)

        async def seen_again() -> bool:
            return bool(service.metrics.duplicates._value.get() >= 1)

        await stage.eventually(seen_again)
        lines = (await client.get("/log")).json()["items"]
    assert [line["action"] for line in lines] == ["dead-letter.redriven", "dead-letter.redrive-failed"]
    assert await query(service, "SELECT handled, recorded FROM seen") == [(1, 1)]
    assert len(await stage.all_events(QrDelivered)) == 1
