"""The services' own operations API (`/operations` of each), asked in parallel, with little patience for reading."""

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
#: A page waits no longer for what it shows. What changes something may take as long as the service allows itself.
_READ_SECONDS, _ACT_SECONDS = 2.0, 30.0
NO_ANSWER = "does not answer"
_NOT_UNDERSTOOD = "answers something that this release does not understand"


class NotAnsweredError(Exception):
    """A service did not do what was asked; the message says why. `unknown`: it may have done it all the same.

    `asked`: false where it could not even be asked.
    """

    def __init__(self, why: str, *, unknown: bool = False, asked: bool = True) -> None:
        super().__init__(why)
        self.unknown = unknown
        self.asked = asked


@dataclass(slots=True, frozen=True)
class Answer(Generic[A]):
    """What one service answered, or why it did not."""

    service: str
    found: A | None
    problem: str | None = None
    asked: bool = True


class ServicesClient:
    """The services by name. `key` is theirs for operations; without it nothing but readiness can be asked."""

    def __init__(self, urls: Mapping[str, str], key: SecretStr | None, tracing: Tracing) -> None:
        self.names = tuple(urls)
        self._urls = {name: url.rstrip("/") for name, url in urls.items()}
        self._key = key
        self._tracing = tracing
        self._http = OutboundClient(seconds=_READ_SECONDS)

    async def close(self) -> None:
        await self._http.aclose()

    async def everywhere(
        self, model: type[A], path: str, trace: str | None, *, services: Iterable[str] | None = None, **query: Any
    ) -> list[Answer[A]]:
        """Ask all services (or these) at once; the answers in their order."""
        chosen = self.names if services is None else [name for name in self.names if name in set(services)]

        requests = (self.ask(service, model, path, trace, **query) for service in chosen)
        return list(await asyncio.gather(*requests))

    async def ask(self, service: str, model: type[A], path: str, trace: str | None, **query: Any) -> Answer[A]:
        """`read`, with the reason where the service does not answer."""
        try:
            return Answer(service, await self.read(service, model, path, trace, **query))
        except NotAnsweredError as error:
            return Answer(service, None, str(error), error.asked)

    async def read(self, service: str, model: type[A], path: str, trace: str | None, **query: Any) -> A:
        """`GET /operations/<path>`, or `GET <path>` where it begins with a slash. Raises NotAnsweredError."""
        given = {name: value for name, value in query.items() if value not in (None, "")}
        return await self._ask(service, model, "GET", path, trace, params=given)

    async def act(
        self, service: str, model: type[A], path: str, body: Mapping[str, Any], person: str, trace: str | None
    ) -> A:
        """`POST /operations/<path>` (`<path>`: see `read`) in somebody's name. Raises NotAnsweredError."""
        headers = {"X-On-Behalf-Of": person}
        return await self._ask(service, model, "POST", path, trace, json=body, headers=headers, timeout=_ACT_SECONDS)

    async def _ask(self, service: str, model: type[A], method: str, path: str, trace: str | None, **request: Any) -> A:
        if service not in self._urls:
            raise NotAnsweredError("is not one of the services that are watched here")
        if self._key is None:
            raise NotAnsweredError("cannot be asked: OPERATIONS_KEY is not set here", asked=False)
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
    """A problem document's detail and wrong fields; nothing of a body that is none."""
    said = None
    if answer.headers.get("content-type", "").startswith("application/problem+json"):
        try:
            problem = read_json(answer)
            fields = [f"{error['field']} {error['message']}" for error in problem.get("errors") or ()]
            said = " ".join([problem["detail"], *fields])
        except (ValueError, AttributeError, KeyError, TypeError):
            said = None
    return f"refuses ({answer.status_code}){f': {said}' if said else ''}"
