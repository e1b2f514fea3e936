"""The services' operations interfaces, over HTTP."""

from collections.abc import Iterator, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import httpx

from fulfil.addresses import OPERATIONS, Addresses, SettingsError

_SECONDS = 60.0
_PAGE = 200
#: What one request may decide.
MOST = 1000


class ServiceError(Exception):
    """A service did not answer, or refused; the words say which and why."""


class OperationsClient:
    """The chosen services (all of them where none is chosen)."""

    def __init__(self, addresses: Addresses, chosen: Sequence[str] = ()) -> None:
        if unknown := sorted(set(chosen) - set(addresses.urls)):
            raise SettingsError(f"unknown service {', '.join(unknown)}; there are {', '.join(addresses.urls)}")
        self._operations = addresses.operations
        self._urls = {name: url for name, url in addresses.urls.items() if not chosen or name in chosen}
        headers = {"Authorization": f"Bearer {addresses.key}"}
        if person := "".join(
            character for character in addresses.person if character.isascii() and character.isprintable()
        )[:80]:
            headers["X-On-Behalf-Of"] = person
        self._client = httpx.Client(headers=headers, timeout=_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    @property
    def names(self) -> list[str]:
        return list(self._urls)

    def get(self, service: str, path: str, **parameters: Any) -> dict[str, Any]:
        """One document. Raises ServiceError."""
        return self._ask(service, "GET", path, params={k: v for k, v in parameters.items() if v is not None})

    def refused_refunds(self) -> dict[str, Any]:
        """The operations service's list of refused refunds. Raises ServiceError, SettingsError."""
        if self._operations is None:
            raise SettingsError("it is not known where operations is: FULFIL_SERVICES does not name it")
        answer = self._request(OPERATIONS, "GET", f"{self._operations}/refunds/refused")
        if answer.status_code == HTTPStatus.NOT_FOUND:
            raise ServiceError("operations does not list refused refunds: it is an earlier release")
        return _read(OPERATIONS, answer)

    def post(self, service: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Decide something. Raises ServiceError."""
        return self._ask(service, "POST", path, json=body)

    def pages(self, service: str, path: str, most: int, **parameters: Any) -> Iterator[dict[str, Any]]:
        """Up to `most` items of a listing, page by page. Raises ServiceError."""
        after = None
        while most > 0:
            found = self.get(service, path, limit=min(most, _PAGE), after=after, **parameters)
            yield from found["items"]
            most -= len(found["items"])
            after = found["next"]
            if after is None:
                return

    def holder(self, letter_id: str, unanswered: dict[str, ServiceError]) -> tuple[str, dict[str, Any]] | None:
        """The service that holds a dead letter, and the letter; None where nobody says so.

        Whoever does not answer is added to `unanswered`; whoever stands there already is not asked.
        """
        for service in self._urls:
            if service in unanswered:
                continue
            try:
                answer = self._send(service, "GET", f"dead-letters/{letter_id}")
                if answer.status_code != HTTPStatus.NOT_FOUND:
                    return service, _read(service, answer)
            except ServiceError as error:
                unanswered[service] = error
        return None

    def _ask(self, service: str, method: str, path: str, **options: Any) -> dict[str, Any]:
        return _read(service, self._send(service, method, path, **options))

    def _send(self, service: str, method: str, path: str, **options: Any) -> httpx.Response:
        return self._request(service, method, f"{self._urls[service]}/operations/{path}", **options)

    def _request(self, service: str, method: str, url: str, **options: Any) -> httpx.Response:
        try:
            return self._client.request(method, url, **options)
        except httpx.HTTPError as error:
            raise ServiceError(f"{service} does not answer ({type(error).__name__})") from None


def _read(service: str, answer: httpx.Response) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError:
        document = {}
    if answer.status_code == HTTPStatus.UNAUTHORIZED:
        raise SettingsError(f"{service} does not know this operations key: set FULFIL_KEY or FULFIL_KEY_FILE")
    if answer.is_success and isinstance(document, dict):
        return document
    problem = document if isinstance(document, dict) else {}
    if problem.get("type") == "urn:problem:not-found":
        raise ServiceError(f"{service} has no operations interface: give it OPERATIONS_KEYS")
    fields = "; ".join(f"{one['field']}: {one['message']}" for one in problem.get("errors", ()))
    words = " ".join(filter(None, (problem.get("detail", f"answered {answer.status_code}"), fields)))
    raise ServiceError(f"{service}: {words}")
