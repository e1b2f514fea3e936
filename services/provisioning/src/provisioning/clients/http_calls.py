"""One HTTP call to an operator, with a CLIENT span that the operator can continue, and a metric."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from prometheus_client import CollectorRegistry, Counter

from provisioning.clients.http_pool import HttpPool
from shared.telemetry.tracing import Call, Tracing


@dataclass(frozen=True, slots=True)
class NoReply:
    """There was no HTTP response. `reached` false: the request was certainly not received."""

    reason: str
    reached: bool


def calls_counter(registry: CollectorRegistry) -> Counter:
    """`operator_calls_total{operator,function,outcome}`: one counter for all clients of a service."""
    return Counter(
        "operator_calls",
        "Calls to operators, by function and outcome",
        ["operator", "function", "outcome"],
        registry=registry,
    )


class Caller:
    """Calls one server of one operator."""

    def __init__(self, operator: str, protocol: str, pool: HttpPool, tracing: Tracing, calls: Counter) -> None:
        self._operator = operator
        self._protocol = protocol
        self._pool = pool
        self._tracing = tracing
        self._calls = calls

    def start(self, function: str, trace: str | None) -> Call:
        """Start the span of one call."""
        return self._tracing.start_call(self._operator, function, trace, name=f"{self._protocol} {function}")

    async def exchange(
        self, span: Call, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> httpx.Response | NoReply:
        """Send the request; returns the response, or why there is none."""
        carried = {**(headers or {}), **({"traceparent": span.traceparent} if span.traceparent else {})}
        span.asks(method, self._pool.base_url)
        try:
            answer = await self._pool.request(method, path, json=body, headers=carried)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            return NoReply(type(error).__name__, reached=False)
        except (httpx.HTTPError, OSError) as error:
            # OSError: a timeout, and an alert of TLS 1.3, which httpx lets through: our certificate was turned down.
            return NoReply(type(error).__name__, reached=True)
        span.set("http.response.status_code", answer.status_code)
        return answer

    def end(self, span: Call, function: str, outcome: str, detail: str, *, successful: bool) -> None:
        """End the span. `detail`: codes and our own words, never a secret."""
        span.set("operator.status", detail)
        span.outcome = outcome
        span.end(None if successful else outcome)
        self._calls.labels(self._operator, function, outcome).inc()

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()
