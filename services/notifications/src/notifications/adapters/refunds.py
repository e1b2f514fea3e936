"""What the account page asks the refunds service, over HTTP."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import httpx
from opentelemetry.trace import SpanKind
from pydantic import BaseModel, SecretStr, ValidationError

from shared.contracts import Explanation
from shared.telemetry.tracing import Tracing

_SECONDS = 3.0
_DONE = {200, 201}


class Prospect(BaseModel):
    """The terms' answer to a request for this reason, today."""

    reason: str
    verdict: str
    explanation: Explanation


class Eligibility(BaseModel):
    """status: open | refunded | not_paid."""

    status: str
    answers: tuple[Prospect, ...] = ()


class RefundDesk:
    """Asks on behalf of the storefront that sold the order. `url`: where refunds serves."""

    def __init__(self, url: str, keys: Mapping[str, SecretStr], tracing: Tracing) -> None:
        self._client = httpx.AsyncClient(base_url=url, timeout=_SECONDS, trust_env=False)
        self._keys = keys
        self._tracing = tracing

    def serves(self, storefront: str) -> bool:
        """Whether there is a key for this storefront."""
        return storefront in self._keys

    async def eligibility(self, storefront: str, order_id: UUID, trace: str | None) -> Eligibility | None:
        """What the terms say today; None where refunds does not answer, or not to us."""
        answer = await self._call("GET", storefront, f"/orders/{order_id}/refund-eligibility", trace)
        if answer is None or answer.status_code not in _DONE:
            return None
        try:
            return Eligibility.model_validate_json(answer.content)
        except ValidationError:
            return None

    async def ask(
        self, storefront: str, order_id: UUID, reason: str, words: str, provided: Sequence[str], trace: str | None
    ) -> bool:
        """Ask for a refund; asking again on the same ground joins the case. True when refunds has it."""
        body: dict[str, Any] = {"reason": reason, "channel": "account", "provided": list(provided)}
        if words:
            body["circumstances"] = words
        answer = await self._call("POST", storefront, f"/orders/{order_id}/refund-requests", trace, body)
        return answer is not None and answer.status_code in _DONE

    async def _call(
        self, method: str, storefront: str, path: str, trace: str | None, body: dict[str, Any] | None = None
    ) -> httpx.Response | None:
        attributes = {"http.request.method": method, "server.address": "refunds"}
        with self._tracing.span(f"refunds {method}", trace, SpanKind.CLIENT, attributes) as span:
            headers = {"authorization": f"Bearer {self._keys[storefront].get_secret_value()}"}
            if span.traceparent:
                headers["traceparent"] = span.traceparent
            try:
                answer = await self._client.request(method, path, json=body, headers=headers)
            except httpx.HTTPError as error:
                span.set("error.type", type(error).__name__)
                return None
            span.set("http.response.status_code", answer.status_code)
            return answer

    async def close(self) -> None:
        """Hang up."""
        await self._client.aclose()
