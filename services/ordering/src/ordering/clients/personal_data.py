"""Client of the other services' exports: `GET {url}/privacy/buyers/{buyer_id}` (PP 6.2)."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import httpx

from shared.kernel.outbound import OutboundClient, read_json
from shared.outcomes import Done, NotSent
from shared.telemetry.tracing import Tracing

_TIMEOUT_SECONDS = 10.0
#: The size of one service's data about one buyer.
_MAX_BYTES = 32 * 1024 * 1024


class PersonalDataClient:
    """Reads what the other services store about buyers. `sources`: base URLs by service."""

    def __init__(self, sources: Mapping[str, str], key: str, tracing: Tracing) -> None:
        self._sources = {name: url.rstrip("/") for name, url in sources.items()}
        self._tracing = tracing
        self._client = OutboundClient(
            seconds=_TIMEOUT_SECONDS, headers={"Authorization": f"Bearer {key}"}, most_bytes=_MAX_BYTES
        )

    @property
    def services(self) -> list[str]:
        """The services that this client can call, sorted."""
        return sorted(self._sources)

    async def stored_data(
        self, service: str, buyer_id: UUID, trace: str | None
    ) -> Done[dict[str, list[Any]]] | NotSent:
        """The rows that a service stores about a buyer, by kind. Every failure is NotSent: reading changes nothing."""
        url = self._sources[service]
        span = self._tracing.start_call(service, "export", trace)
        span.asks("GET", url)
        headers = {"traceparent": span.traceparent} if span.traceparent else {}
        try:
            response = await self._client.get(f"{url}/privacy/buyers/{buyer_id}", headers=headers)
            span.answered(response.status_code)
            response.raise_for_status()
            rows: dict[str, list[Any]] = read_json(response)
        except (httpx.HTTPError, ValueError) as error:
            span.end(type(error).__name__)
            return NotSent(f"{service} did not answer: {type(error).__name__}")
        span.end()
        return Done(rows)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
