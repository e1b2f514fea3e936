"""Reads of the other services for the agents' pages: a time limit for each, and a reason where there is no answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Generic, TypeVar

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from shared.kernel.outbound import OutboundClient
from shared.telemetry.logging import get_logger
from shared.telemetry.tracing import Tracing

log = get_logger(__name__)
A = TypeVar("A", bound=BaseModel)
#: For one request; a part of a page may need two.
_SECONDS = 2.0


@dataclass(slots=True, frozen=True)
class Part(Generic[A]):
    """What a service answered. `problem`: why its answer is not known. Neither: it has nothing about the order."""

    value: A | None = None
    problem: str | None = None


class ServicesClient:
    """The other services by name. `key`: an agent's key that all of them know; without it none can be asked."""

    def __init__(self, urls: Mapping[str, str], key: SecretStr | None, tracing: Tracing) -> None:
        self._urls = {name: url.rstrip("/") for name, url in urls.items()}
        self._key = key
        self._tracing = tracing
        self._http = OutboundClient(seconds=_SECONDS, whole_seconds=_SECONDS)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def read(
        self, service: str, model: type[A], path: str, trace: str | None, body: Mapping[str, Any] | None = None
    ) -> Part[A]:
        """`GET <path>`, or `POST` with a body for a search. It never raises: what is not known has a reason."""
        if service not in self._urls or self._key is None:
            return Part(problem="it is not connected here (SERVICES, SERVICES_KEY)")
        method = "GET" if body is None else "POST"
        with self._tracing.call(service, method, trace) as span:
            headers = {"authorization": f"Bearer {self._key.get_secret_value()}"}
            span.asks(method, self._urls[service])
            if span.traceparent:
                headers["traceparent"] = span.traceparent
            try:
                answer = await self._http.request(method, self._urls[service] + path, json=body, headers=headers)
            except httpx.HTTPError as error:
                span.set("error.type", type(error).__name__)
                span.outcome = "failed"
                return Part(problem="it did not answer in time")
            span.answered(answer.status_code)
        if answer.status_code == HTTPStatus.NOT_FOUND:
            return Part()
        if answer.is_error:
            return Part(problem=f"it refused to answer ({answer.status_code})")
        try:
            return Part(model.model_validate_json(answer.content))
        except ValidationError as error:
            log.warning("service_answer_not_understood", service=service, error=error.title, faults=error.error_count())
            return Part(problem="it answered something that this release does not understand")
