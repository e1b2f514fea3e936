"""Calls to a service next door on behalf of a storefront, inside the order's trace."""

from collections.abc import Mapping
from typing import Any

import httpx
from pydantic import SecretStr

from shared.kernel.outbound import OutboundClient
from shared.telemetry.tracing import Tracing

#: An export is the largest answer.
_MOST_BYTES = 64 * 1024 * 1024


class ServiceClient:
    """`url`: where the service called `name` serves; `keys`: by storefront; `seconds`: how long an answer may take."""

    def __init__(
        self, name: str, url: str, keys: Mapping[str, SecretStr], tracing: Tracing, *, seconds: float = 3.0
    ) -> None:
        self._name = name
        self._client = OutboundClient(seconds=seconds, base_url=url, most_bytes=_MOST_BYTES)
        self._keys = keys
        self._tracing = tracing

    def serves(self, storefront: str) -> bool:
        """Whether there is a key for this storefront."""
        return storefront in self._keys

    async def call(
        self,
        method: str,
        storefront: str,
        path: str,
        trace: str | None,
        body: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> httpx.Response | None:
        """The answer, whatever it says; None where there is none. `options` are httpx's own."""
        with self._tracing.call(self._name, method, trace) as span:
            span.asks(method, str(self._client.base_url))
            key = self._keys[storefront].get_secret_value()
            headers = {**options.pop("headers", {}), "authorization": f"Bearer {key}"}
            if span.traceparent:
                headers["traceparent"] = span.traceparent
            try:
                answer = await self._client.request(method, path, json=body, headers=headers, **options)
            except httpx.HTTPError as error:
                span.set("error.type", type(error).__name__)
                span.outcome = "failed"
                return None
            span.answered(answer.status_code)
            return answer

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()
