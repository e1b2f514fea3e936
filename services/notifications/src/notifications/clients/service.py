"""Calls to another service of the product, made on behalf of a storefront and inside the order's trace."""

from collections.abc import Mapping
from typing import Any

import httpx
from pydantic import SecretStr

from shared.kernel.outbound import NEVER_SENT, OutboundClient
from shared.outcomes import Done, NotSent, Unknown
from shared.telemetry.tracing import Tracing

#: An export is the largest response.
_MAX_BYTES = 64 * 1024 * 1024


class ServiceClient:
    """A client of the service `name` at `url`, with an API key for each storefront.

    `seconds` is how long a response may take.
    """

    def __init__(
        self, name: str, url: str, keys: Mapping[str, SecretStr], tracing: Tracing, *, seconds: float = 3.0
    ) -> None:
        self._name = name
        self._client = OutboundClient(seconds=seconds, base_url=url, most_bytes=_MAX_BYTES)
        self._keys = keys
        self._tracing = tracing

    def serves(self, storefront: str) -> bool:
        """Whether there is an API key for this storefront."""
        return storefront in self._keys

    async def call(
        self,
        method: str,
        storefront: str,
        path: str,
        trace: str | None,
        body: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Done[httpx.Response] | NotSent | Unknown:
        """Send a request. `Done` carries the response, whatever its status is. `options` are those of httpx."""
        with self._tracing.call(self._name, method, trace) as span:
            span.asks(method, str(self._client.base_url))
            key = self._keys[storefront].get_secret_value()
            headers = {**options.pop("headers", {}), "authorization": f"Bearer {key}"}
            if span.traceparent:
                headers["traceparent"] = span.traceparent
            try:
                response = await self._client.request(method, path, json=body, headers=headers, **options)
            except httpx.HTTPError as error:
                span.set("error.type", type(error).__name__)
                span.outcome = "failed"
                reason = f"no answer of {self._name}: {type(error).__name__}"
                return NotSent(reason) if isinstance(error, NEVER_SENT) else Unknown(reason)
            span.answered(response.status_code)
            return Done(response)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
