"""What the trace page's receiver does while there is no Zipkin, and what it makes of OpenTelemetry's spans."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from local_stack import zipkin_server
from local_stack.errors import LocalStackError
from local_stack.ports import free_port
from local_stack.zipkin_server import Zipkin, application
from local_stack.zipkin_spans import zipkin_spans
from shared.testing.documents import FieldValue

TRACE, PARENT, ID = bytes(range(16)), bytes(range(8)), bytes(range(8, 16))


def request(**fields: FieldValue) -> bytes:
    made = ExportTraceServiceRequest()
    resource = made.resource_spans.add()
    resource.resource.attributes.append(attribute("service.name", "payments"))
    resource.scope_spans.add().spans.append(Span(trace_id=TRACE, span_id=ID, **fields))
    return bytes(made.SerializeToString())


def attribute(key: str, value: str | int | list[str]) -> KeyValue:
    match value:
        case str():
            return KeyValue(key=key, value=AnyValue(string_value=value))
        case int():
            return KeyValue(key=key, value=AnyValue(int_value=value))
        case list():
            many = ArrayValue(values=[AnyValue(string_value=one) for one in value])
            return KeyValue(key=key, value=AnyValue(array_value=many))


def test_a_span_keeps_its_place_its_time_and_its_attributes() -> None:
    [span] = zipkin_spans(
        request(
            name="process payments.order-paid",
            kind=Span.SPAN_KIND_CONSUMER,
            parent_span_id=PARENT,
            start_time_unix_nano=5_000_000,
            end_time_unix_nano=7_000_999,
            attributes=[attribute("messaging.system", "kafka"), attribute("messaging.batch.message_count", 2)],
        )
    )
    assert span == {
        "traceId": "000102030405060708090a0b0c0d0e0f",
        "parentId": "0001020304050607",
        "id": "08090a0b0c0d0e0f",
        "kind": "CONSUMER",
        "name": "process payments.order-paid",
        "timestamp": 5000,
        "duration": 2000,
        "localEndpoint": {"serviceName": "payments"},
        "remoteEndpoint": {"serviceName": "kafka"},
        "tags": {"messaging.system": "kafka", "messaging.batch.message_count": "2"},
        "annotations": [],
    }


def test_a_failed_root_span_is_marked_and_a_short_one_has_a_duration() -> None:
    [span] = zipkin_spans(
        request(
            name="work refund",
            status=Status(code=Status.STATUS_CODE_ERROR),
            attributes=[attribute("error.type", "TimeoutError"), attribute("x", ["a", "b"])],
            links=[Span.Link(trace_id=TRACE, span_id=PARENT)],
        )
    )
    assert {"parentId", "kind", "remoteEndpoint"}.isdisjoint(span)
    assert span["duration"] == 1
    assert span["tags"] == {
        "error.type": "TimeoutError",
        "error": "TimeoutError",
        "otel.status_code": "ERROR",
        "x": "a,b",
        "link.0": "000102030405060708090a0b0c0d0e0f/0001020304050607",
    }


@pytest.fixture
def zipkin(tmp_path: Path) -> Zipkin:
    return Zipkin(free_port(), tmp_path / "zipkin.log")


@pytest.fixture
async def receiver(zipkin: Zipkin) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(application(zipkin))
    async with httpx.AsyncClient(transport=transport, base_url="http://receiver") as client:
        yield client


async def test_without_zipkin_spans_are_taken_and_the_page_says_how_far_it_is(
    zipkin: Zipkin, receiver: httpx.AsyncClient
) -> None:
    for body, headers in ((request(name="a"), {}), (gzip.compress(request(name="b")), {"Content-Encoding": "gzip"})):
        assert (await receiver.post("/v1/traces", content=body, headers=headers)).status_code == 200
    assert [span["name"] for span in zipkin._waiting] == ["a", "b"]
    assert (await receiver.post("/v1/traces", content=b"\xff no protobuf")).status_code == 400
    assert (await receiver.get("/health")).status_code == 200
    page = await receiver.get("/")
    assert (page.status_code, page.headers["refresh"]) == (503, "2")
    assert "Zipkin is not started yet. Everything else works without it" in page.text


def no_maven() -> Path:
    raise LocalStackError("there is no Maven")


def no_jar() -> Path:
    return Path("/nowhere/zipkin.jar")


@pytest.mark.parametrize(("jar", "words"), [(no_maven, "down: there is no Maven"), (no_jar, "down: Zipkin exited (1)")])
async def test_a_zipkin_that_cannot_be_had_or_does_not_start_is_no_more_than_a_sentence(
    zipkin: Zipkin, monkeypatch: pytest.MonkeyPatch, jar: Callable[[], Path], words: str
) -> None:
    monkeypatch.setattr(zipkin_server, "zipkin_jar", jar)
    running = asyncio.create_task(zipkin.run())
    async with asyncio.timeout(30):
        while not zipkin.standing.startswith("down"):  # noqa: ASYNC110 - it has no event for tests
            await asyncio.sleep(0.02)
    assert zipkin.standing.startswith(words)
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
