"""The operations API (`/operations`) of each watched service. Reads wait two seconds."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import httpx
from opentelemetry.trace import SpanKind
from pydantic import BaseModel, SecretStr, ValidationError

from shared.kernel.outbound import OutboundClient, read_json
from shared.telemetry.logging import get_logger
from shared.telemetry.tracing import Tracing

log = get_logger(__name__)
A = TypeVar("A", bound=BaseModel)
#: A page waits no longer for what it shows. A change may take as long as the service itself allows.
_READ_SECONDS, _CHANGE_SECONDS = 2.0, 30.0
NO_ANSWER = "does not answer"
_NOT_UNDERSTOOD = "answers something that this release does not understand"


class NotAnsweredError(Exception):
    """A service did not do what was requested; the message says why.

    `unknown`: it may have done it nevertheless. `requested`: false where no request could be sent.
    """

    def __init__(self, why: str, *, unknown: bool = False, requested: bool = True) -> None:
        super().__init__(why)
        self.unknown = unknown
        self.requested = requested


@dataclass(slots=True, frozen=True)
class Answer(Generic[A]):
    """The answer of one service, or the problem that prevented it."""

    service: str
    value: A | None
    problem: str | None = None
    requested: bool = True


class ServicesClient:
    """The watched services by name. `key`: their operations key; without it no request is sent."""

    def __init__(self, urls: Mapping[str, str], key: SecretStr | None, tracing: Tracing) -> None:
        self.names = tuple(urls)
        self._urls = {name: url.rstrip("/") for name, url in urls.items()}
        self._key = key
        self._tracing = tracing
        self._http = OutboundClient(seconds=_READ_SECONDS)

    async def close(self) -> None:
        await self._http.aclose()

    async def read_all(
        self, model: type[A], path: str, trace: str | None, *, services: Iterable[str] | None = None, **query: Any
    ) -> list[Answer[A]]:
        """Request the same of all services (or of these) at once; the answers in their sequence."""
        chosen = self.names if services is None else [name for name in self.names if name in set(services)]
        requests = (self.try_read(service, model, path, trace, **query) for service in chosen)
        return list(await asyncio.gather(*requests))

    async def try_read(self, service: str, model: type[A], path: str, trace: str | None, **query: Any) -> Answer[A]:
        """As `read`, but a service that does not answer gives an `Answer` with the problem."""
        try:
            return Answer(service, await self.read(service, model, path, trace, **query))
        except NotAnsweredError as error:
            return Answer(service, None, str(error), error.requested)

    async def read(self, service: str, model: type[A], path: str, trace: str | None, **query: Any) -> A:
        """`GET /operations/<path>`, or `GET <path>` where it begins with a slash. Raises NotAnsweredError."""
        given = {name: value for name, value in query.items() if value not in (None, "")}
        return await self._request(service, model, "GET", path, trace, params=given)

    async def change(
        self, service: str, model: type[A], path: str, body: Mapping[str, Any], person: str, trace: str | None
    ) -> A:
        """`POST /operations/<path>` (`<path>`: see `read`) on behalf of a person. Raises NotAnsweredError."""
        headers = {"X-On-Behalf-Of": person}
        return await self._request(
            service, model, "POST", path, trace, json=body, headers=headers, timeout=_CHANGE_SECONDS
        )

    async def _request(
        self, service: str, model: type[A], method: str, path: str, trace: str | None, **request: Any
    ) -> A:
        if service not in self._urls:
            raise NotAnsweredError("is not one of the services that are watched here")
        if self._key is None:
            raise NotAnsweredError("cannot be asked: OPERATIONS_KEY is not set here", requested=False)
        headers = {"Authorization": f"Bearer {self._key.get_secret_value()}", **request.pop("headers", {})}
        with self._tracing.span(f"operations {method.lower()}", trace, SpanKind.CLIENT) as span:
            if span.traceparent is not None:
                headers["traceparent"] = span.traceparent
            url = self._urls[service] + (path if path.startswith("/") else f"/operations/{path}")
            try:
                answer = await self._http.request(method, url, headers=headers, **request)
            except httpx.ConnectError as error:
                raise NotAnsweredError(NO_ANSWER) from error
            except httpx.HTTPError as error:
                raise NotAnsweredError("did not answer in time", unknown=method == "POST") from error
        if answer.is_error:
            unknown = method == "POST" and answer.is_server_error
            raise NotAnsweredError(_refusal(answer), unknown=unknown)
        try:
            return model.model_validate_json(answer.content)
        except ValidationError as error:
            log.warning("operations_answer_not_understood", service=service, error=error)
            raise NotAnsweredError(_NOT_UNDERSTOOD, unknown=method == "POST") from error


def _refusal(answer: httpx.Response) -> str:
    """The detail and wrong fields of a problem document; nothing of any other body."""
    reason = None
    if answer.headers.get("content-type", "").startswith("application/problem+json"):
        try:
            problem = read_json(answer)
            fields = [f"{error['field']} {error['message']}" for error in problem.get("errors") or ()]
            reason = " ".join([problem["detail"], *fields])
        except (ValueError, AttributeError, KeyError, TypeError):
            reason = None
    return f"refuses ({answer.status_code}){f': {reason}' if reason else ''}"
