"""The services' own answers: kept, shown, judged; and the spans of an order from a trace store."""

import asyncio
import inspect
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
from aiokafka import TopicPartition

from operations.invariants.progress import Progress
from operations.invariants.rules import ALL, OrderInvariant
from shared.messaging.reading import Place
from shared.testing.documents import Json, JsonObject

if TYPE_CHECKING:
    from deploy.operations.tests.conftest import Life, Start


SUMMARY: JsonObject = {
    "service": "payments",
    "dead_letters": {"waiting": 0, "redriven": 0, "discarded": 0},
    "work": [],
    "outbox": {"rows": 0, "oldest": None},
    "consumer": {"problems": {}, "halted": None},
}
Answers = dict[str, tuple[int, Json]]


class Stand:
    """A web server that answers by path; `asked` holds (path, authorization)."""

    def __init__(self, url: str, answers: Answers) -> None:
        self.url = url
        self.answers = answers
        self.asked: list[tuple[str, str]] = []


StartStand = Callable[[Answers], Awaitable[Stand]]


@pytest.fixture
async def stand() -> AsyncIterator[StartStand]:
    async with AsyncExitStack() as opened:

        async def make(answers: Answers) -> Stand:
            made = Stand("", answers)

            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                path = head.split()[1]
                headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
                made.asked.append((path, headers.get("authorization", "")))
                status, body = made.answers.get(path, (404, {}))
                text = body if isinstance(body, str) else json.dumps(body)
                head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(text.encode())}\r\nconnection: close\r\n\r\n"
                writer.write((head + text).encode())
                await writer.drain()
                writer.close()

            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            opened.push_async_callback(server.wait_closed)
            opened.callback(server.close)
            made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            return made

        yield make


def _answers(**summary: object) -> Answers:
    return {
        "/health/ready": (200, {"status": "ready", "checks": {"database": "ok"}}),
        "/operations/summary": (200, {**SUMMARY, **summary}),
    }


async def test_what_services_say_of_themselves_is_kept_and_judged(start: "Start", stand: StartStand) -> None:
    ago = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    failing = await stand(
        _answers(
            dead_letters={"waiting": 3, "redriven": 1, "discarded": 0},
            outbox={"rows": 7, "oldest": ago},
            work=[
                {"kind": "capture", "state": "parked", "rows": 2, "oldest_due_at": ago},
                {"kind": "refund", "state": "due", "rows": 1, "oldest_due_at": ago},
            ],
        )
    )
    healthy = await stand({**_answers(), "/operators": (200, [{"name": "sandbox", "orders": {"breaker": "closed"}}])})
    running = await start(
        services={"payments": failing.url, "provisioning": healthy.url, "refunds": "http://127.0.0.1:1"},
        operations_key="their-key",
        agent_key="agent-key",
    )
    await running.evaluated()
    assert await running.open("dead_letters_waiting") == ["payments"]
    assert await running.open("outbox_old") == ["payments"]
    assert await running.open("work_parked") == ["payments/capture"]
    assert await running.open("work_late") == ["payments/refund/due"]
    assert await running.open("service_not_ready") == []  # not for long yet
    assert ("/operations/summary", "bearer their-key") in failing.asked

    answer = {one["service"]: one for one in (await running.get("/services")).json()}
    assert answer["payments"]["ready"]
    assert answer["payments"]["summary"]["dead_letters"]["waiting"] == 3
    assert answer["provisioning"]["operators"] == [{"name": "sandbox", "orders": {"breaker": "closed"}}]
    assert not answer["refunds"]["ready"]
    assert answer["refunds"]["problem"].startswith("does not answer")

    # It is mended; and the one that is away has been away for long.
    failing.answers = _answers()
    running.clock.by = timedelta(minutes=2)
    await running.evaluated()
    assert await running.open("service_not_ready") == ["refunds"]
    for name in ("dead_letters_waiting", "outbox_old", "work_parked", "work_late"):
        await running.stage.eventually(partial(running.holds, name))


@pytest.mark.long
async def test_a_service_that_does_not_answer_keeps_what_it_said_last(start: "Start", stand: StartStand) -> None:
    failing = await stand(_answers(dead_letters={"waiting": 1}))
    running = await start(services={"payments": failing.url}, operations_key="their-key")
    await running.evaluated()
    assert await running.open("dead_letters_waiting") == ["payments"]

    async def asked_again() -> bool:
        """Twice, so that what the first of them heard is stored."""
        return len(failing.asked) >= before + 4

    wrong: tuple[int, Json]
    for wrong in ((500, "<html>"), (200, "nonsense"), (200, {"service": "payments"}), (200, [])):
        failing.answers["/operations/summary"] = wrong
        before = len(failing.asked)
        await running.stage.eventually(asked_again)
        await running.evaluated()
        [answer] = (await running.get("/services")).json()
        assert answer["problem"], wrong
        assert answer["summary_at"] < answer["asked_at"]
        assert await running.open("dead_letters_waiting") == ["payments"]


async def test_an_unknown_invariant_in_the_settings_is_refused(start: "Start") -> None:
    with pytest.raises(ValueError, match="names no invariant: paid_wthout"):
        await start(invariant_seconds={"paid_wthout": 1})
    with pytest.raises(ValueError, match="invariants without a time: price_differs, work_parked"):
        await start(invariant_seconds={"work_parked": 60, "refund_late": 60, "price_differs": 60})


def test_an_invariant_with_a_time_uses_it() -> None:
    for one in ALL:
        if isinstance(one, OrderInvariant):
            uses = any(f":{name}" in one.sql() for name in ("late", "after"))
        else:
            uses = "answers.now - after" in inspect.getsource(type(one))
        assert uses == (one.after is not None), one.name


# --- how far everything has been read --------------------------------------------------------------------------------


class Reads:
    """Partitions as a test says."""

    def __init__(self) -> None:
        self.found: Mapping[TopicPartition, Place] | None = {}

    async def places(self) -> Mapping[TopicPartition, Place] | None:
        return self.found


async def test_the_moment_stands_still_while_there_is_a_backlog_and_follows_a_busy_consumer() -> None:
    a, b, c = (TopicPartition("facts", number) for number in range(3))
    reads = Reads()
    progress = Progress(reads)
    at = [datetime(2026, 11, 21, tzinfo=UTC) + timedelta(seconds=30) * n for n in range(8)]
    reads.found = {a: Place(0, 100, 40), b: Place(0, 0, -1)}
    assert await progress.as_of(at[0]) is None  # what was there at the start is not applied yet
    reads.found = {a: Place(0, 180, 100), b: Place(0, 0, -1)}
    assert await progress.as_of(at[1]) == at[0]
    reads.found = {a: Place(0, 250, 181), b: Place(0, 5, 3)}
    assert await progress.as_of(at[2]) == at[1]  # never at the end, and never far behind
    reads.found = {a: Place(0, 300, 300), b: Place(0, 5, 4)}
    assert await progress.as_of(at[3]) == at[1]  # one partition holds it up
    reads.found = None
    assert await progress.as_of(at[4]) is None  # the brokers do not answer
    reads.found = {a: Place(0, 300, 300), b: Place(0, 5, 5)}
    assert await progress.as_of(at[5]) == at[5]
    reads.found = {a: Place(400, 400, 300), b: Place(0, 5, 5)}
    assert await progress.as_of(at[6]) == at[6]  # what nobody can read any more is not waited for
    reads.found = {a: Place(400, 400, 300), b: Place(0, 5, 5), c: Place(0, 9, 0)}
    assert await progress.as_of(at[7]) == at[6]


# --- search, order, spans --------------------------------------------------------------------------------------------


async def test_an_order_is_found_by_what_a_person_has_in_hand(start: "Start", life: "type[Life]") -> None:
    running = await start(trace_url_template="http://traces.example/{trace_id}?at={span_id}")
    order, trace = life(), f"00-{'ab' * 16}-{'cd' * 8}-01"
    for fact in order.smooth():
        await running.stage.publish(fact, trace=trace)
    await running.known(order.contact(), life().placed())
    await running.until_rows("SELECT 1 AS n FROM orders WHERE delivered_at IS NOT NULL")
    for body in (
        {"number": order.order_number},
        {"order_id": str(order.order_id)},
        {"iccid": "8999702000000000001"},
        {"email": "ann@example.org"},
    ):
        [found] = (await running.post("/search", body)).json()
        assert (found["order_id"], found["status"]) == (str(order.order_id), "delivered"), body
    for query in (f"number={order.order_number}", f"order_id={order.order_id}", "iccid=8999702000000000001"):
        assert [one["order_id"] for one in (await running.get(f"/orders?{query}")).json()] == [str(order.order_id)]
    assert (await running.post("/search", {"number": "10000001", "email": "a@b"})).status_code == 422
    assert (await running.post("/search", {"email": "nobody-there"})).status_code == 422
    assert "nobody-there" not in (await running.post("/search", {"email": "nobody-there"})).text
    assert (await running.get("/orders")).status_code == 422
    assert (await running.get("/orders?number=1", key="wrong")).status_code == 401
    assert (await running.post("/search", {"number": order.order_number}, key=None)).status_code == 401

    order_view = (await running.get(f"/orders/{order.order_id}")).json()
    assert [line["topic"].partition(".")[2] for line in order_view["timeline"]] == [
        "order-placed",
        "order-paid",
        "profile-generated",
        "qr-delivered",
    ]
    assert order_view["trace_url"] == f"http://traces.example/{'ab' * 16}?at={'cd' * 8}"
    assert list(order_view["moments"])[-1] == "delivered_at"
    assert (await running.get("/orders/01a1fc2e-7e06-77e0-a6f7-2bb300000000")).status_code == 404
    assert (await running.get("/invariants/nothing")).status_code == 404


ZIPKIN = [
    {
        "traceId": "ab" * 16,
        "id": "cd" * 8,
        "name": "post /orders",
        "timestamp": 1_700_000_000_000_000,
        "duration": 1500,
        "localEndpoint": {"serviceName": "ordering"},
        "tags": {"error": "true"},
    }
]
JAEGER = {
    "data": [
        {
            "spans": [
                {
                    "traceID": "ab" * 16,
                    "spanID": "cd" * 8,
                    "operationName": "post /orders",
                    "startTime": 1_700_000_000_000_000,
                    "duration": 1500,
                    "processID": "p1",
                    "tags": [{"key": "error", "value": True}],
                }
            ],
            "processes": {"p1": {"serviceName": "ordering"}},
        }
    ]
}


@pytest.mark.parametrize("spans", [ZIPKIN, JAEGER], ids=["zipkin", "jaeger"])
async def test_spans_are_merged_into_the_timeline_or_it_says_why_not(
    start: "Start", life: "type[Life]", stand: StartStand, spans: object
) -> None:
    path = f"/traces/{'ab' * 16}"
    store = await stand({path: (200, spans)})
    running = await start(
        trace_api=f"{store.url}/traces/{{trace_id}}", trace_url_template="http://t/{trace_id}/{span_id}"
    )
    order = life()
    await running.stage.publish(order.placed(), trace=f"00-{'ab' * 16}-{'12' * 8}-01")
    where = f"/orders/{order.order_id}"

    async def there() -> bool:
        answer = await running.get(where)
        return bool(answer.status_code == 200)

    await running.stage.eventually(there)
    answer = (await running.get(f"{where}?spans=true")).json()
    assert answer["spans_problem"] is None
    first, second = answer["timeline"]
    assert (first["span"]["service"], first["span"]["milliseconds"], first["span"]["error"]) == ("ordering", 1.5, True)
    assert first["trace_url"] == f"http://t/{'ab' * 16}/{'cd' * 8}"
    assert second["topic"] == "ordering.order-placed"
    for wrong in ((500, ""), (200, "<html>"), (200, {"nothing": 1}), (200, [{"traceId": 1}])):
        store.answers[path] = wrong
        answer = (await running.get(f"{where}?spans=true")).json()
        assert answer["spans_problem"], wrong
        assert len(answer["timeline"]) == 1
    assert (await running.get(where)).json()["spans_problem"] is None
