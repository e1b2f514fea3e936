"""Spans of an order, read from Zipkin's or Jaeger's API, merged into its timeline."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx

from operations.views import OrderView, SpanView, TimelineLine
from shared.kernel.outbound import time_limit
from shared.telemetry.logging import get_logger
from shared.telemetry.trace_links import TraceLinks

log = get_logger(__name__)
_SECONDS = 2.0
_MOST_BYTES = 8 * 1024 * 1024
_MOST_SPANS = 500
#: One order is one trace; a second one (a refund that was asked for by hand) is read too, and more are not.
_MOST_TRACES = 3


class SpansError(Exception):
    """The trace store did not tell; the words are for the person who asked."""


class Spans:
    """Reads traces. `api`: an address with `{trace_id}`; None: there is no trace store to ask."""

    def __init__(self, http: httpx.AsyncClient, api: str | None, trace_links: TraceLinks) -> None:
        self._http = http
        self._api = api
        self._trace_links = trace_links

    async def merged(self, order: OrderView) -> OrderView:
        """The order with the steps of its traces in the timeline, or with the reason why not."""
        traces = list(dict.fromkeys(line.trace_id for line in order.timeline if line.trace_id))[:_MOST_TRACES]
        try:
            with time_limit(_SECONDS):
                found = [span for trace in traces for span in await self._read(trace)]
        except TimeoutError:
            return order.model_copy(
                update={"spans_problem": f"The trace store did not answer within {_SECONDS:.0f} s."}
            )
        except (SpansError, httpx.HTTPError) as error:
            log.info("spans_not_read", error=error)
            words = str(error) if isinstance(error, SpansError) else "The trace store does not answer."
            return order.model_copy(update={"spans_problem": words})
        lines = [*order.timeline, *map(_line, sorted(found, key=lambda span: span.started_at)[:_MOST_SPANS])]
        return order.model_copy(update={"timeline": sorted(lines, key=_moment)})

    async def _read(self, trace: str) -> list[SpanView]:
        if self._api is None:
            raise SpansError("No trace store is set (TRACE_API).")
        async with self._http.stream("GET", self._api.format(trace_id=trace)) as answer:
            if answer.status_code == httpx.codes.NOT_FOUND:
                return []
            if answer.is_error:
                raise SpansError(f"The trace store answered {answer.status_code}.")
            body = bytearray()
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > _MOST_BYTES:
                    raise SpansError("The trace is too big to be shown here.")
        try:
            told = json.loads(body)
            return list(self._of_zipkin(told) if isinstance(told, list) else self._of_jaeger(told))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SpansError("The trace store answered something that is no trace.") from error

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

    def _of_jaeger(self, told: Mapping[str, Any]) -> Iterator[SpanView]:
        """Jaeger's query API: `{"data": [{"spans": [...], "processes": {...}}]}`, microseconds."""
        for trace in told["data"]:
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


def _line(span: SpanView) -> TimelineLine:
    return TimelineLine(
        at=span.started_at,
        topic=None,
        summary={},
        told_at=None,
        known_at=None,
        trace_id=None,
        trace_url=span.trace_url,
        span=span,
    )


def _moment(line: TimelineLine) -> datetime:
    """Facts stand where they were told, which is when their span was."""
    return line.told_at or line.at
