"""The trace store: reads the spans of traces from Zipkin's or Jaeger's API."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
from pydantic import BaseModel

from shared.kernel.outbound import OutboundClient, time_limit
from shared.telemetry.logging import get_logger
from shared.telemetry.trace_links import TraceLinks

log = get_logger(__name__)
_SECONDS = 2.0
_MOST_BYTES = 8 * 1024 * 1024


class SpanView(BaseModel):
    """A span of the order's trace: one step of one service."""

    service: str
    name: str
    started_at: datetime
    milliseconds: float
    error: bool
    span_id: str
    trace_url: str | None


class TraceStoreError(Exception):
    """The spans could not be read. The message is shown to the person who requested them."""


class TraceStore:
    """Reads traces. `api`: a URL with `{trace_id}`; None: no trace store is configured."""

    def __init__(self, http: OutboundClient, api: str | None, trace_links: TraceLinks) -> None:
        self._http = http
        self._api = api
        self._trace_links = trace_links

    async def spans(self, trace_ids: Sequence[str]) -> list[SpanView]:
        """The spans of these traces, in two seconds at most; an unknown trace has none. Raises TraceStoreError."""
        try:
            with time_limit(_SECONDS):
                return [span for trace_id in trace_ids for span in await self._read(trace_id)]
        except TimeoutError as error:
            raise TraceStoreError(f"The trace store did not answer within {_SECONDS:.0f} s.") from error
        except httpx.HTTPError as error:
            log.info("spans_not_read", error=error)
            raise TraceStoreError("The trace store does not answer.") from error

    async def _read(self, trace_id: str) -> list[SpanView]:
        if self._api is None:
            raise TraceStoreError("No trace store is set (TRACE_API).")
        async with self._http.stream("GET", self._api.format(trace_id=trace_id)) as response:
            if response.status_code == httpx.codes.NOT_FOUND:
                return []
            if response.is_error:
                raise TraceStoreError(f"The trace store answered {response.status_code}.")
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part
                if len(body) > _MOST_BYTES:
                    raise TraceStoreError("The trace is too big to be shown here.")
        try:
            answer = json.loads(body)
            return list(self._of_zipkin(answer) if isinstance(answer, list) else self._of_jaeger(answer))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            log.info("spans_not_read", error=error)
            raise TraceStoreError("The trace store answered something that is no trace.") from error

    def _of_zipkin(self, spans: Sequence[Mapping[str, Any]]) -> Iterator[SpanView]:
        """Zipkin API v2: microseconds; a failed span has a tag `error`."""
        for span in spans:
            tags = span.get("tags") or {}
            yield self._span(
                service=(span.get("localEndpoint") or {}).get("serviceName") or "",
                name=span.get("name") or "",
                start=span["timestamp"],
                duration=span.get("duration") or 0,
                error="error" in tags or tags.get("otel.status_code") == "ERROR",
                trace=span["traceId"],
                span=span["id"],
            )

    def _of_jaeger(self, answer: Mapping[str, Any]) -> Iterator[SpanView]:
        """Jaeger's query API: `{"data": [{"spans": [...], "processes": {...}}]}`, microseconds."""
        for trace in answer["data"]:
            for span in trace["spans"]:
                tags = {tag["key"]: tag["value"] for tag in span.get("tags", ())}
                yield self._span(
                    service=trace["processes"][span["processID"]]["serviceName"],
                    name=span["operationName"],
                    start=span["startTime"],
                    duration=span.get("duration", 0),
                    error=tags.get("error") in (True, "true"),
                    trace=span["traceID"],
                    span=span["spanID"],
                )

    def _span(
        self, *, service: str, name: str, start: int, duration: int, error: bool, trace: str, span: str
    ) -> SpanView:
        return SpanView(
            service=service,
            name=name,
            started_at=datetime.fromtimestamp(start / 1e6, UTC),
            milliseconds=duration / 1e3,
            error=error,
            span_id=span,
            trace_url=self._trace_links.of(f"00-{trace.rjust(32, '0')}-{span.rjust(16, '0')}-01"),
        )
