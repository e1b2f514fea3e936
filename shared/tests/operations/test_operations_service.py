"""`/operations` of a service: access, lists, decisions, the log."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import httpx

from shared.contracts import OrderPaid
from shared.ids import uuid7
from shared.telemetry.tracing import new_traceparent
from shared.testing.documents import JsonObject
from shared.testing.facts import paid
from shared.testing.operations import StartToy
from shared.testing.stage import Stage
from shared.testing.toy import service as toy
from shared.testing.toy.settings import Settings

READING = ("/summary", "/dead-letters", f"/dead-letters/{uuid7()}", "/work", "/log")
DECIDING = ("/dead-letters/redrive", "/dead-letters/discard", "/work/retry")


async def test_a_request_without_a_key_is_refused_and_without_keys_nothing_is_served(
    enter: StartToy, stage: Stage
) -> None:
    running = await enter()
    for header in ("Bearer wrong", "Basic eDp5"):
        running.client.headers["Authorization"] = header
        for path in READING:
            refused = await running.client.get(path)
            assert (refused.status_code, refused.json()["type"]) == (401, "urn:problem:unknown-operations-key")
        for path in DECIDING:
            assert (await running.client.post(path, json={})).status_code == HTTPStatus.UNAUTHORIZED
    closed = await stage.service(toy.build, Settings)
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"http://127.0.0.1:{closed.port}/operations/summary")).status_code == 404


async def test_dead_letters_are_listed_by_filter(enter: StartToy) -> None:
    running = await enter()
    facts = [paid(toy.POISON) for _ in range(5)]
    await running.stage.publish(*facts, trace=new_traceparent(sampled=True))
    await running.stage.raw(OrderPaid.topic, b"k", b"{}", [])
    ids = await running.dead_letters(6)
    first = await running.get("/dead-letters", limit=4)
    rest = await running.get("/dead-letters", limit=4, after=first["next"])
    assert [item["id"] for item in (*first["items"], *rest["items"])] == ids[::-1]
    assert rest["next"] is None

    async def found(**filters: str | int) -> int:
        return len((await running.get("/dead-letters", **filters))["items"])

    soon = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    assert await found(reason="handler_failed") == 5
    assert await found(reason="handler_failed", key=str(facts[2].order_id)) == 1
    assert await found(topic=OrderPaid.topic, state="waiting", until=soon) == 6
    assert await found(since=soon) == await found(topic="a.b") == await found(state="discarded") == 0
    item = (await running.get("/dead-letters", key=str(facts[0].order_id)))["items"][0]
    assert item["service"] == running.service.name
    assert item["detail"].startswith("ValueError at service.py:")
    assert len(item["trace"]) == 32
    assert "payload" not in item
    assert (await running.dead_letter(item["id"]))["payload"]["order_id"] == str(facts[0].order_id)
    summary = await running.get("/summary")
    assert summary["dead_letters"] == {"waiting": 6, "redriven": 0, "discarded": 0}
    assert summary["consumer"] == {"problems": {}, "halted": None}


async def test_a_decision_takes_at_most_its_limit_and_reports_what_is_left(enter: StartToy) -> None:
    running = await enter()
    await running.stage.publish(*[paid(toy.POISON) for _ in range(5)])
    ids = await running.dead_letters(5)
    rehearsed = await running.post("/dead-letters/discard", filter={"reason": "handler_failed"}, limit=2, dry_run=True)
    assert (rehearsed["dry_run"], rehearsed["matched"], rehearsed["taken"], rehearsed["left"]) == (True, 5, ids[:2], 3)
    assert (await running.get("/log"))["items"] == []
    done = await running.post("/dead-letters/discard", filter={"reason": "handler_failed"}, limit=2)
    assert (done["matched"], done["taken"], done["refused"], done["left"]) == (5, ids[:2], [], 3)
    elsewhere = await running.post("/dead-letters/discard", filter={"service": "payments"})
    assert (elsewhere["matched"], elsewhere["taken"]) == (0, [])
    stranger = str(uuid7())
    named = await running.post("/dead-letters/discard", ids=[ids[0], ids[2], stranger, ids[3]], limit=1)
    assert (named["matched"], named["taken"], named["left"]) == (2, [ids[2]], 1)
    assert {one["id"] for one in named["refused"]} == {ids[0], stranger}
    assert (await running.get("/summary"))["dead_letters"] == {"waiting": 2, "redriven": 0, "discarded": 3}


async def test_the_log_names_who_decided_when_and_why(enter: StartToy) -> None:
    running = await enter()
    await running.stage.publish(paid(toy.POISON), paid(toy.POISON))
    first, second = await running.dead_letters(2)
    running.client.headers["X-On-Behalf-Of"] = "anna"
    await running.post("/dead-letters/discard", ids=[first], reason="  sent by mistake, the shop knows ")
    letter = await running.dead_letter(first)
    assert (letter["state"], letter["decided_by"]) == ("discarded", "operations (anna)")
    assert letter["decision"] == "sent by mistake, the shop knows"
    [line] = (await running.get("/log"))["items"]
    assert (line["who"], line["action"], line["subject"]) == ("operations (anna)", "dead-letter.discarded", first)
    assert line["reason"] == letter["decision"]
    assert line["details"]["topic"] == OrderPaid.topic
    running.client.headers["X-On-Behalf-Of"] = "x" * 81
    refused = await running.client.post("/dead-letters/discard", json={"ids": [second], "reason": "because"})
    assert refused.status_code == HTTPStatus.UNPROCESSABLE_ENTITY
    del running.client.headers["X-On-Behalf-Of"]
    assert (await running.dead_letter(second))["state"] == "waiting"


MISUNDERSTOOD: tuple[JsonObject, ...] = (
    {"filter": {}},
    {"filter": {}, "reason": "  x "},
    {"filter": {}, "reason": "forged\nline"},
    {"reason": "neither ids nor filter"},
    {"reason": "both", "ids": [str(uuid7())], "filter": {}},
    {"reason": "misspelt", "filter": {"topics": "payments.order-paid"}},
    {"reason": "misspelt", "filter": {}, "dryrun": True},
    {"reason": "too many", "filter": {}, "limit": 1001},
    {"reason": "none", "ids": []},
)


async def test_a_request_with_an_unknown_field_decides_nothing(enter: StartToy) -> None:
    running = await enter()
    for body in MISUNDERSTOOD:
        for path in ("/dead-letters/redrive", "/dead-letters/discard"):
            refused = await running.client.post(path, json=body)
            assert (refused.status_code, refused.json()["type"]) == (422, "urn:problem:invalid-request"), body
