"""OTLP spans as Zipkin's: OpenTelemetry's own rules, "OpenTelemetry to Zipkin Transformation".

A Zipkin span is a dict in the shape of `POST /api/v2/spans` (JSON, version 2): ids in hex, times in microseconds.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

_KINDS = {
    Span.SPAN_KIND_SERVER: "SERVER",
    Span.SPAN_KIND_CLIENT: "CLIENT",
    Span.SPAN_KIND_PRODUCER: "PRODUCER",
    Span.SPAN_KIND_CONSUMER: "CONSUMER",
}
#: Who is on the other side, the most telling first.
_REMOTE = ("service.peer.name", "messaging.system", "server.address", "network.peer.address")
_STATUS = {Status.STATUS_CODE_OK: "OK", Status.STATUS_CODE_ERROR: "ERROR"}


def zipkin_spans(body: bytes) -> list[dict[str, Any]]:
    """The spans of an OTLP/HTTP request (protobuf). Raises google.protobuf.message.DecodeError."""
    request = ExportTraceServiceRequest.FromString(body)
    return list(_spans(request))


def _spans(request: ExportTraceServiceRequest) -> Iterator[dict[str, Any]]:
    for resource in request.resource_spans:
        service = _texts(resource.resource.attributes).get("service.name", "unknown_service")
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield _span(span, service, scope.scope.name)


def _span(span: Span, service: str, scope: str) -> dict[str, Any]:
    tags = _texts(span.attributes)
    if scope:
        tags["otel.scope.name"] = scope
    if span.status.code in _STATUS:
        tags["otel.status_code"] = _STATUS[span.status.code]
    if span.status.code == Status.STATUS_CODE_ERROR:
        # Zipkin paints a span red that has this tag.
        tags["error"] = span.status.message or tags.get("error.type", "true")
    for number, link in enumerate(span.links):
        tags[f"link.{number}"] = f"{link.trace_id.hex()}/{link.span_id.hex()}"
    made: dict[str, Any] = {
        "traceId": span.trace_id.hex(),
        "id": span.span_id.hex(),
        "name": span.name,
        "timestamp": span.start_time_unix_nano // 1000,
        # Zipkin takes 0 for "not known".
        "duration": max(1, (span.end_time_unix_nano - span.start_time_unix_nano) // 1000),
        "localEndpoint": {"serviceName": service},
        "tags": tags,
        "annotations": [{"timestamp": event.time_unix_nano // 1000, "value": event.name} for event in span.events],
    }
    if span.parent_span_id:
        made["parentId"] = span.parent_span_id.hex()
    if span.kind in _KINDS:
        made["kind"] = _KINDS[span.kind]
        remote = next((tags[name] for name in _REMOTE if name in tags), None)
        if remote and made["kind"] != "SERVER":
            made["remoteEndpoint"] = {"serviceName": remote}
    return made


def _texts(attributes: Iterable[KeyValue]) -> dict[str, str]:
    return {one.key: _text(one.value) for one in attributes}


def _text(value: AnyValue) -> str:
    match value.WhichOneof("value"):
        case "bool_value":
            return str(value.bool_value).lower()
        case "int_value":
            return str(value.int_value)
        case "double_value":
            return str(value.double_value)
        case "array_value":
            return ",".join(_text(one) for one in value.array_value.values)
        case _:
            return value.string_value
