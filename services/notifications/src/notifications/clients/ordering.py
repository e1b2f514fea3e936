"""Client of ordering: corrections of contact data, privacy requests, and the codes that confirm them (PP 6)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, TypeVar
from uuid import UUID

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from notifications.clients.service import ServiceClient
from shared.contracts import Money, Plan
from shared.kernel.outbound import read_json
from shared.kernel.privacy import PAGE_PROOF, page_proof
from shared.outcomes import Done, NotSent, Refused, Unknown
from shared.telemetry.tracing import Tracing

#: Ordering collects an export from all services, one after the other.
_EXPORT_SECONDS = 40.0
_LISTED = 50
T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class RequestRefused(Refused):
    """A problem document (RFC 9457): `code` is its type, `fields` names what is wrong in the request."""

    status: int = 0
    fields: tuple[str, ...] = ()


OrderingOutcome = Done[T] | RequestRefused | NotSent | Unknown


class CodeSent(BaseModel):
    """A confirmation code was sent to the buyer."""

    confirmation_id: UUID
    sent_by: Literal["sms", "email"]


class ErasedByService(BaseModel):
    """The confirmation of one service that it erased the buyer, and what the law makes it keep."""

    erased_at: datetime
    kept: tuple[str, ...] = ()


class PrivacyRequest(BaseModel):
    """A privacy request and its progress. state: awaiting_confirmation | running | done."""

    request_id: UUID
    kind: str
    state: str
    requested_at: datetime
    confirmed_at: datetime | None = None
    confirmed_by: str | None = None
    services: dict[str, ErasedByService] = {}


class ListedOrder(BaseModel):
    """An order in a list; `status` as ordering derives it."""

    order_id: UUID
    order_number: str
    status: str
    placed_at: datetime
    price: Money
    plan: Plan


class OrderList(BaseModel):
    """The newest orders of a mailbox, the newest first."""

    orders: tuple[ListedOrder, ...]


class OrderingClient(ServiceClient):
    """Calls ordering on behalf of the storefront that sold the order.

    With `page_key` (PRIVACY_KEY) it proves to ordering that the account page sends the request, and not the shop.
    """

    def __init__(
        self, url: str, keys: Mapping[str, SecretStr], tracing: Tracing, page_key: SecretStr | None = None
    ) -> None:
        super().__init__("ordering", url, keys, tracing, seconds=5.0)
        self._page_key = page_key

    async def request_correction(
        self, storefront: str, order_id: UUID, changes: Mapping[str, str], trace: str | None
    ) -> OrderingOutcome[CodeSent]:
        """Request new contact data (PP 6.1). Nothing changes before the code is confirmed."""
        path, headers = f"/orders/{order_id}/contact-changes", self._page_proof(order_id)
        return _parsed(CodeSent, await self.call("POST", storefront, path, trace, changes, headers=headers))

    async def request_privacy(
        self, storefront: str, order_id: UUID, kind: str, trace: str | None
    ) -> OrderingOutcome[CodeSent]:
        """Request an export, a block, the end of a block, or an erasure (PP 6.2)."""
        body = {"order": str(order_id), "kind": kind}
        headers = self._page_proof(order_id)
        return _parsed(CodeSent, await self.call("POST", storefront, "/privacy/requests", trace, body, headers=headers))

    def _page_proof(self, order_id: UUID) -> dict[str, str]:
        return {} if self._page_key is None else {PAGE_PROOF: page_proof(self._page_key, order_id)}

    async def orders_of(self, storefront: str, email: str, trace: str | None) -> OrderingOutcome[OrderList]:
        """Read the newest orders of a mailbox. Only its owner may see them (I14)."""
        params = {"email": email, "limit": str(_LISTED)}
        return _parsed(OrderList, await self.call("GET", storefront, "/orders", trace, params=params))

    async def confirm(
        self, storefront: str, confirmation_id: UUID, code: str, trace: str | None
    ) -> OrderingOutcome[httpx.Response]:
        """Confirm a request with its code. `Done`: the code is right, and the request is carried out."""
        path = f"/confirmations/{confirmation_id}"
        return _successful(await self.call("POST", storefront, path, trace, {"code": code}))

    async def privacy_request(
        self, storefront: str, request_id: UUID, trace: str | None
    ) -> OrderingOutcome[PrivacyRequest]:
        """Read a privacy request."""
        path = f"/privacy/requests/{request_id}"
        return _parsed(PrivacyRequest, await self.call("GET", storefront, path, trace))

    async def export(
        self, storefront: str, request_id: UUID, trace: str | None, *, media_type: str
    ) -> OrderingOutcome[bytes]:
        """Read all data of the buyer, as text/html or application/json. It is complete, or not `Done`."""
        path = f"/privacy/requests/{request_id}/export"
        options: dict[str, Any] = {"headers": {"accept": media_type}, "timeout": _EXPORT_SECONDS}
        match _successful(await self.call("GET", storefront, path, trace, **options)):
            case Done(value=response):
                return Done(response.content)
            case other:
                return other


def _parsed(model: type[M], outcome: Done[httpx.Response] | NotSent | Unknown) -> OrderingOutcome[M]:
    match _successful(outcome):
        case Done(value=response):
            try:
                return Done(model.model_validate_json(response.content))
            except ValidationError:
                return Unknown("the answer of ordering cannot be read")
        case other:
            return other


def _successful(outcome: Done[httpx.Response] | NotSent | Unknown) -> OrderingOutcome[httpx.Response]:
    if not isinstance(outcome, Done) or outcome.value.is_success:
        return outcome
    response = outcome.value
    if response.is_server_error:
        return Unknown(f"ordering answered {response.status_code}")
    try:
        problem = read_json(response)
        kind = str(problem.get("type", "")).removeprefix("urn:problem:")
        fields = tuple(str(error.get("field", "")) for error in problem.get("errors", ()))
    except (ValueError, AttributeError, TypeError):
        return Unknown(f"ordering answered {response.status_code} without a problem document")
    return RequestRefused(kind, "ordering refused the request", response.status_code, fields)
