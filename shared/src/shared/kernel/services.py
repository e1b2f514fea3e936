"""HTTP client for the other services of this product, for pages that show and change what they have."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Generic, TypeVar

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from shared.kernel.outbound import NEVER_SENT, OutboundClient, read_json
from shared.telemetry.logging import get_logger
from shared.telemetry.tracing import Tracing

log = get_logger(__name__)
A = TypeVar("A", bound=BaseModel)
#: A page waits no longer for what it shows. A change may take as long as the service itself allows.
_READ_SECONDS, _CHANGE_SECONDS = 2.0, 30.0
NO_ANSWER = "does not answer"
_NOT_UNDERSTOOD = "answers something that this release does not understand"


class NotAnsweredError(Exception):
    """A service did not do what was requested; the message says why, after the service's name.

    `status` and `detail`: of its refusal, None where there was none. `unknown`: it may have done it nevertheless.
    `requested`: false where no request could be sent.
    """

    def __init__(
        self,
        why: str,
        *,
        status: int | None = None,
        detail: str | None = None,
        unknown: bool = False,
        requested: bool = True,
    ) -> None:
        super().__init__(why)
        self.status = status
        self.detail = detail
        self.unknown = unknown
        self.requested = requested


@dataclass(slots=True, frozen=True)
class Answer(Generic[A]):
    """The answer of one service, or the problem that prevented it. Neither: it has nothing (`try_find`)."""

    service: str
    value: A | None
    problem: str | None = None
    requested: bool = True


class ServicesClient:
    """The other services by name. `key`: one that all of them know; without it no request is sent.

    A path without a slash in front is below `/operations/`. `key_setting` names the setting of the key.
    """

    def __init__(self, urls: Mapping[str, str], key: SecretStr | None, tracing: Tracing, *, key_setting: str) -> None:
        self.names = tuple(urls)
        self._urls = {name: url.rstrip("/") for name, url in urls.items()}
        self._key = key
        self._key_setting = key_setting
        self._tracing = tracing
        self._http = OutboundClient(seconds=_READ_SECONDS, whole_seconds=_READ_SECONDS)

    async def close(self) -> None:
        """Close the connections."""
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

    async def try_find(
        self, service: str, model: type[A], path: str, trace: str | None, body: Mapping[str, Any] | None = None
    ) -> Answer[A]:
        """As `try_read`; 404 means that the service has nothing. `body`: of a search, which is posted."""
        try:
            if body is None:
                return Answer(service, await self.read(service, model, path, trace))
            return Answer(service, await self._request(service, model, "POST", path, trace, json=body))
        except NotAnsweredError as error:
            nothing = error.status == HTTPStatus.NOT_FOUND
            return Answer(service, None, None if nothing else str(error), error.requested)

    async def read(self, service: str, model: type[A], path: str, trace: str | None, **query: Any) -> A:
        """`GET <path>`. Raises NotAnsweredError."""
        given = {name: value for name, value in query.items() if value not in (None, "")}
        return await self._request(service, model, "GET", path, trace, params=given)

    async def collect(self, service: str, model: type[A], path: str, trace: str | None) -> A:
        """As `read`, of what the service collects from others first, which takes longer. Raises NotAnsweredError."""
        return await self._request(service, model, "GET", path, trace, timeout=_CHANGE_SECONDS)

    async def change(
        self,
        service: str,
        model: type[A],
        path: str,
        body: Mapping[str, Any],
        person: str,
        trace: str | None,
        *,
        method: str = "POST",
        headers: Mapping[str, str] | None = None,
    ) -> A:
        """`POST <path>`, or another method, on behalf of a person. Raises NotAnsweredError."""
        named = {"X-On-Behalf-Of": person, **(headers or {})}
        return await self._request(
            service, model, method, path, trace, json=body, headers=named, timeout=_CHANGE_SECONDS
        )

    async def _request(
        self, service: str, model: type[A], method: str, path: str, trace: str | None, **request: Any
    ) -> A:
        if service not in self._urls:
            raise NotAnsweredError("is not connected here", requested=False)
        if self._key is None:
            raise NotAnsweredError(f"cannot be asked: {self._key_setting} is not set here", requested=False)
        headers = {"Authorization": f"Bearer {self._key.get_secret_value()}", **request.pop("headers", {})}
        base = self._urls[service]
        changes = "timeout" in request and method != "GET"
        with self._tracing.call(service, method, trace) as span:
            span.asks(method, base)
            if span.traceparent:
                headers["traceparent"] = span.traceparent
            url = base + (path if path.startswith("/") else f"/operations/{path}")
            try:
                answer = await self._http.request(method, url, headers=headers, **request)
            except NEVER_SENT as error:
                raise NotAnsweredError(NO_ANSWER) from error
            except httpx.HTTPError as error:
                raise NotAnsweredError("did not answer in time", unknown=changes) from error
            span.answered(answer.status_code)
        if answer.is_error:
            detail = _detail(answer)
            why = f"refuses ({answer.status_code}){f': {detail}' if detail else ''}"
            unknown = changes and answer.is_server_error
            raise NotAnsweredError(why, status=answer.status_code, detail=detail, unknown=unknown)
        try:
            return model.model_validate_json(answer.content)
        except ValidationError as error:
            log.warning("service_answer_not_understood", service=service, error=error.title, faults=error.error_count())
            raise NotAnsweredError(_NOT_UNDERSTOOD, unknown=changes) from error


def _detail(answer: httpx.Response) -> str | None:
    """The detail and wrong fields of a problem document; nothing of any other body."""
    if not answer.headers.get("content-type", "").startswith("application/problem+json"):
        return None
    try:
        problem = read_json(answer)
        fields = [f"{error['field']} {error['message']}" for error in problem.get("errors") or ()]
        return " ".join([problem["detail"], *fields])
    except (ValueError, AttributeError, KeyError, TypeError):
        return None
