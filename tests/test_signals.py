"""Which service gives which signal, under which names: spans, figures and log lines of all five, in one table."""

import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files as resource_files

import httpx
import opentelemetry.semconv
from opentelemetry.semconv._incubating.attributes import messaging_attributes as messaging
from opentelemetry.semconv._incubating.attributes import service_attributes
from opentelemetry.semconv.attributes import error_attributes, http_attributes, server_attributes, url_attributes
from prometheus_client.parser import text_string_to_metric_families

from product.faults import NO_SUCH_PROFILE
from product.harness import Running
from product.judge import until
from product.traces import Span, Trace
from shared.contracts import BuyerContact, Event, RefundRequested
from shared.messaging.cloudevents import to_wire
from shared.telemetry.tracing import new_traceparent

#: A service's span for each signal; a dash: it has none on these two ways (it calls nobody, or does no due work there).
SPANS = {
    "ordering": {
        "serve": "POST /orders",
        "process": "process payments.order-paid",
        "publish": "send ordering.order-placed",
        "work": "-",
        "call": "-",
    },
    "payments": {
        "serve": "-",
        "process": "process ordering.order-placed",
        "publish": "send payments.order-paid",
        "work": "work check_status",
        "call": "epay check_status",
    },
    "provisioning": {
        "serve": "-",
        "process": "process payments.order-paid",
        "publish": "send provisioning.profile-generated",
        "work": "work provision",
        "call": "ES2+ downloadOrder",
    },
    "notifications": {
        "serve": "-",
        "process": "process provisioning.profile-generated",
        "publish": "send notifications.qr-delivered",
        "work": "work deliver_qr",
        "call": "mail qr",
    },
    "refunds": {
        "serve": "-",
        "process": "process provisioning.profile-failed",
        "publish": "send refunds.refund-approved",
        "work": "-",
        "call": "-",
    },
}
KINDS = {"serve": "SERVER", "process": "CONSUMER", "publish": "PRODUCER", "work": "INTERNAL", "call": "CLIENT"}
COMMON = {messaging.MESSAGING_SYSTEM, messaging.MESSAGING_DESTINATION_NAME, messaging.MESSAGING_MESSAGE_ID}
KAFKA = COMMON | {
    messaging.MESSAGING_OPERATION_TYPE,
    messaging.MESSAGING_OPERATION_NAME,
    messaging.MESSAGING_DESTINATION_PARTITION_ID,
    messaging.MESSAGING_KAFKA_OFFSET,
    messaging.MESSAGING_CLIENT_ID,
}
REQUIRED = {
    "serve": {
        http_attributes.HTTP_REQUEST_METHOD,
        http_attributes.HTTP_ROUTE,
        http_attributes.HTTP_RESPONSE_STATUS_CODE,
        url_attributes.URL_PATH,
        url_attributes.URL_SCHEME,
    },
    "process": KAFKA | {messaging.MESSAGING_CONSUMER_GROUP_NAME},
    "publish": KAFKA,
    "work": {"work.kind"},
    "call": {service_attributes.SERVICE_PEER_NAME},
}
HTTP_CALL = {
    http_attributes.HTTP_REQUEST_METHOD,
    http_attributes.HTTP_RESPONSE_STATUS_CODE,
    server_attributes.SERVER_ADDRESS,
    server_attributes.SERVER_PORT,
}
#: Words of our own, where there is no convention.
OURS = ("work.", "operator.", "mail.", "sms.", "newsletter.")
#: Figures that every service has, and those of its own: sample and labels, each above zero after both ways.
EVERYWHERE = ("events_published_total", "event_age_seconds_count", "consumer_batch_records_count")
SHOWN = ("consumer_stalled_seconds", "outbox_waiting", "outbox_oldest_seconds", "work_fenced_total", "ready")
METRICS: Mapping[str, list[tuple[str, dict[str, str]]]] = {
    "ordering": [
        ("events_consumed_total", {"topic": "notifications.qr-delivered"}),
        ("order_delivery_seconds_count", {"storefront": "esimka"}),
        ("orders_recent", {"status": "delivered"}),
        ("orders_recent", {"status": "refunded"}),
    ],
    "payments": [
        ("external_call_seconds_count", {"peer": "epay", "operation": "check_status", "outcome": "ok"}),
        ("external_call_seconds_count", {"peer": "epay", "operation": "refund", "outcome": "ok"}),
        ("work_outcomes_total", {"kind": "check_status", "outcome": "done"}),
    ],
    "provisioning": [
        ("external_call_seconds_count", {"peer": "primary", "operation": "downloadOrder"}),
        ("work_outcomes_total", {"kind": "provision", "outcome": "done"}),
    ],
    "notifications": [
        ("external_call_seconds_count", {"peer": "smtp", "operation": "qr", "outcome": "accepted"}),
        ("work_outcomes_total", {"kind": "deliver_qr", "outcome": "done"}),
    ],
    "refunds": [("refund_decisions_by_clause_total", {"verdict": "approve"})],
}


def conventions() -> dict[str, str]:
    """Every attribute that OpenTelemetry's conventions know, with what is said of it."""
    found: dict[str, str] = {}
    described = re.compile(r'^\w+: (?:Final|Literal\["[^"]+"\]) = "([^"]+)"\n"""\n(.*?)"""', re.MULTILINE | re.DOTALL)
    package = resource_files(opentelemetry.semconv)
    for folder in (package / "attributes", package / "_incubating" / "attributes"):
        for module in folder.iterdir():
            if module.name.endswith("_attributes.py"):
                found.update(dict(described.findall(module.read_text())) | found)
    return found


def strange(spans: Sequence[Span]) -> set[str]:
    """Attributes that are neither in the conventions, or only as outdated ones, nor ours."""
    known = conventions()
    assert len(known) > 500
    used = {name for span in spans for name in span["attributes"] if not name.startswith(OURS)}
    return {name for name in used if known.get(name, "Deprecated").strip().startswith("Deprecated")}


def test_what_was_renamed_counts_as_strange() -> None:
    names = ("messaging.kafka.message.offset", "messaging.kafka.offset", "http.method", "invented.by_us", "work.kind")
    spans = [{"attributes": {name: 1}} for name in names]
    assert strange(spans) == {"messaging.kafka.message.offset", "http.method", "invented.by_us"}


async def test_every_service_gives_every_signal(running: Running) -> None:
    delivered, refunded = new_traceparent(sampled=True), new_traceparent(sampled=True)
    order = await running.shop.place(traceparent=delivered)
    await running.shop.pay(order)
    profiles = await running.judge.delivered([order])
    await running.sandbox.faults(NO_SUCH_PROFILE)
    order = await running.shop.place(traceparent=refunded)
    await running.shop.pay(order)
    await running.judge.refunded([order], beside=profiles)

    def spans() -> list[Span]:
        return [*Trace(running.product, delivered).spans, *Trace(running.product, refunded).spans]

    async def spans_missing() -> str:
        there = {(span["service"], span["name"]) for span in spans()}
        wanted = {(service, name) for service, row in SPANS.items() for name in row.values() if name != "-"}
        return "" if wanted <= there else f"no spans {sorted(wanted - there)}"

    await until(spans_missing)
    check_matrix(spans())
    check_names(spans())
    check_hops(spans())
    await until(lambda: missing_metrics(running))


def check_matrix(spans: list[Span]) -> None:
    for service, row in SPANS.items():
        for signal, name in row.items():
            for span in spans:
                if (span["service"], span["name"]) == (service, name):
                    assert span["kind"] == KINDS[signal], (service, name)
                    assert REQUIRED[signal] <= set(span["attributes"]), (service, name, span["attributes"])


def check_names(spans: list[Span]) -> None:
    assert strange(spans) == set()
    for span in spans:
        attributes = span["attributes"]
        if span["kind"] in {"CONSUMER", "PRODUCER"}:
            operation, topic = attributes["messaging.operation.name"], attributes["messaging.destination.name"]
            assert span["name"] == f"{operation} {topic}"
            assert operation == {"CONSUMER": "process", "PRODUCER": "send"}[span["kind"]]
            assert attributes["messaging.client.id"] == span["service"]
        if span["kind"] == "CLIENT" and not span["name"].startswith("mail "):
            assert set(attributes) >= HTTP_CALL, span
        if span["status"] == "ERROR":
            assert error_attributes.ERROR_TYPE in attributes, span


def check_hops(spans: list[Span]) -> None:
    """Each hop over Kafka: the sender's and the reader's span name the same place, and one hangs below the other."""
    sent = {span["span"]: span for span in spans if span["kind"] == "PRODUCER"}
    hops = [span for span in spans if span["kind"] == "CONSUMER"]
    place = ("destination.name", "destination.partition.id", "kafka.offset", "message.id")
    for hop in hops:
        for part in place:
            name = f"messaging.{part}"
            assert hop["attributes"][name] == sent[hop["parent"]]["attributes"][name], (hop["name"], name)
    assert {hop["service"] for hop in hops} == set(SPANS)


async def missing_metrics(running: Running) -> str:
    missing = []
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        for service, wanted in METRICS.items():
            text = (await client.get(f"{running.product.url(service)}/metrics")).text
            samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
            for name, labels in [*wanted, *((name, {}) for name in EVERYWHERE)]:
                if not any(s.name == name and labels.items() <= s.labels.items() and s.value > 0 for s in samples):
                    missing.append(f"{service}: {name}{labels}")
            there = {sample.name for sample in samples}
            missing += [f"{service}: {name}" for name in {*SHOWN, "consumer_lag_records"} - there]
    return "; ".join(missing)


async def test_a_log_line_is_json_and_names_the_trace_that_it_belongs_to(running: Running) -> None:
    parent = new_traceparent(sampled=True)
    readers: dict[type[Event], tuple[str, ...]] = {
        BuyerContact: ("payments", "notifications", "refunds"),
        RefundRequested: ("ordering", "provisioning"),
    }
    for event in readers:
        headers = {"ce_specversion": "1.0", "ce_id": "1", "ce_type": event.ce_type(), "traceparent": parent}
        await running.topics.raw(event.topic, b"k", b"{}", to_wire(headers))
    expected: dict[str, int] = {}
    for services in readers.values():
        for service in services:
            expected[service] = expected.get(service, 0) + 1
    await running.judge.put_aside(expected)
    for service, count in expected.items():
        lines = [json.loads(line) for line in running.product.log_text(service).splitlines() if line.startswith("{")]
        assert [line for line in lines if not {"service", "level", "event", "timestamp"} <= set(line)] == []
        mine = [line for line in lines if line["event"] == "dead_letter" and line.get("trace_id") == parent[3:35]]
        assert len(mine) == count, service
        await running.product.forgive(service)
