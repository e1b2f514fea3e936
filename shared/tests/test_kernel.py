"""The frame: health, refusals over HTTP, tracing, leases' arithmetic."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from shared.contracts import QrDelivered
from shared.kernel.http import MAX_BODY_BYTES
from shared.kernel.service import Service
from shared.tasks.worker import LONGEST_RETRY, backoff
from shared.telemetry.tracing import Tracing, new_traceparent
from shared.testing.documents import JsonObject
from shared.testing.facts import paid
from shared.testing.stage import Stage
from shared.testing.toy import service as toy
from shared.testing.toy.settings import Settings

router = APIRouter()
PARTITIONS = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'inbox'::regclass"


class Body(BaseModel):
    """A body with a rule."""

    amount: int = Field(gt=0)


@router.post("/echo")
async def echo(body: Body, request: Request) -> JsonObject:
    return {"amount": body.amount, "trace": request.state.trace}


@router.get("/broken")
async def broken() -> None:
    raise RuntimeError("secret@example.org")


@router.get("/away")
async def away() -> None:
    raise ConnectionRefusedError


def build(settings: Settings) -> Service:
    service = toy.build(settings)
    service.serves(router)
    return service


async def client(stage: Stage, **settings: object) -> httpx.AsyncClient:
    service = await stage.service(build, Settings, **settings)
    return httpx.AsyncClient(base_url=f"http://127.0.0.1:{service.port}", timeout=30)


async def test_refusals_are_problem_documents(stage: Stage) -> None:
    async with await client(stage) as http:
        malformed = await http.post("/echo", content=b"{", headers={"content-type": "application/json"})
        wrong = await http.post("/echo", json={"amount": -5_000_001})
        large = await http.post("/echo", content=b"x" * (MAX_BODY_BYTES + 1))
        missing = await http.get("/nowhere")
        method = await http.get("/echo")
        failed = await http.get("/broken")
        busy = await http.get("/away")
    found = [malformed, wrong, large, missing, method, failed, busy]
    assert [one.status_code for one in found] == [400, 422, 413, 404, 405, 500, 503]
    for one in found:
        assert one.headers["content-type"] == "application/problem+json"
        assert {"type", "title", "status", "detail"} <= set(one.json())
        assert "secret@" not in one.text
    assert wrong.json()["errors"] == [{"field": "amount", "message": "Input should be greater than 0"}]
    assert "5000001" not in wrong.text
    assert busy.headers["retry-after"] == "2"


async def test_a_body_without_a_length_is_limited_too(stage: Stage) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 10_000

    async with await client(stage) as http:
        assert (await http.post("/echo", content=endless())).status_code == 413


async def test_health_and_metrics(stage: Stage) -> None:
    async with await client(stage) as http:
        ready = await http.get("/health/ready")
        assert ready.json() == {"status": "ready", "checks": {"database": "ok", "kafka": "ok", "tasks": "ok"}}
        assert (await http.get("/health/live")).json() == {"status": "live"}
        await stage.publish(paid())
        await stage.events(QrDelivered)
        assert 'events_consumed_total{topic="payments.order-paid"} 1.0' in (await http.get("/metrics")).text


async def test_one_trace_runs_through_http_outbox_topic_and_work(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "spans.jsonl"
    parent = new_traceparent(sampled=True)
    service = toy.build(await stage.settings(Settings, "shared.testing.toy", trace_file=file))
    await stage.ensure_topics(service.consumer.topics)
    async with service.running():
        await stage.publish(paid(), trace=parent)
        (found,) = await stage.events(QrDelivered)
    spans = {span["name"]: span for span in map(json.loads, file.read_text().splitlines())}
    process, work, send = (spans[n] for n in ("process payments.order-paid", "work greet", f"send {QrDelivered.topic}"))
    assert {span["trace"] for span in (process, work, send)} == {parent[3:35]}
    assert (process["parent"], work["parent"], send["parent"]) == (parent[36:52], process["span"], work["span"])
    assert found.trace is not None
    assert found.trace[36:52] == send["span"]
    assert [span["kind"] for span in (process, work, send)] == ["CONSUMER", "INTERNAL", "PRODUCER"]


def test_an_unsampled_trace_is_carried_on_unrecorded() -> None:
    tracing = Tracing("t", ratio=0)
    parent = new_traceparent(sampled=False)
    assert tracing.start("x", parent).traceparent == parent
    assert str(tracing.start("x", None).traceparent).endswith("-00")


@pytest.mark.parametrize(("flags", "recorded"), [("00", 0), ("01", 1), ("02", 0), ("03", 1), ("09", 1)])
async def test_the_trace_of_a_caller_goes_on_whatever_its_version_and_flags(
    stage: Stage, tmp_path: Path, flags: str, recorded: int
) -> None:
    file, trace = tmp_path / "spans.jsonl", new_traceparent(sampled=True)[3:35]
    service = toy.build(await stage.settings(Settings, "shared.testing.toy", trace_file=file))
    async with service.running(), httpx.AsyncClient(base_url=f"http://127.0.0.1:{service.port}") as http:
        headers = {"traceparent": f"cc-{trace}-{'b' * 16}-{flags}-from-the-future"}
        await http.post("/echo", content=b"{}", headers=headers)
    spans = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    assert [span["trace"] for span in spans if span["kind"] == "SERVER"] == [trace] * recorded


@pytest.mark.parametrize("attempts", range(0, 60, 7))
def test_pauses_grow_and_stay_bounded(attempts: int) -> None:
    assert timedelta(seconds=0.1) <= backoff(attempts) <= timedelta(seconds=LONGEST_RETRY)


async def test_the_inbox_keeps_days_apart_and_drops_old_ones(stage: Stage) -> None:
    service = await stage.service(toy.build, Settings)
    today = datetime.now(UTC).date()
    later = today + timedelta(days=40)

    async def partitions() -> set[str]:
        async with service.database.reading() as tx:
            found = await tx.execute(
                "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'inbox'::regclass"
            )
            return set(found.scalars())

    before = await partitions()
    assert f"inbox_{datetime.now(UTC):%Y%m%d}" in before
    await maintain(service, later)
    after = await partitions()
    assert f"inbox_{later:%Y%m%d}" in after
    assert before <= after, "a clock that jumps forty days ends nothing"
    for day in range(17):
        await maintain(service, today + timedelta(days=day))
    kept = await partitions()
    assert f"inbox_{today - timedelta(days=1):%Y%m%d}" not in kept
    assert f"inbox_{today + timedelta(days=2):%Y%m%d}" in kept, "fourteen days that were lived through are kept"


async def maintain(service: Service, today: date) -> None:
    async with service.database.transaction() as tx:
        await tx.execute("SELECT inbox_maintain(CAST(:today AS date), 7, 14)", today=today)
