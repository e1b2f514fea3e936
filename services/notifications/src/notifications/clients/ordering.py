"""What the account page asks ordering: corrections, privacy requests, the codes that confirm them."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Literal
from uuid import UUID

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from notifications.account import Proof, Refusal
from notifications.clients.service import ServiceClient
from shared.kernel.outbound import read_json
from shared.kernel.privacy import PAGE_PROOF, page_proof
from shared.telemetry.tracing import Tracing

#: Ordering asks all services for an export, one after the other.
_EXPORT_SECONDS = 40.0
_REFUSALS: Mapping[str, Refusal] = {
    "too-many-codes": "too_many",
    "wrong-code": "wrong_code",
    "code-expired": "code_over",
    "already-confirmed": "code_used",
    "unknown-confirmation": "code_over",
}


class Sent(BaseModel):
    """A code is on its way."""

    confirmation_id: UUID
    sent_by: Literal["sms", "email"]


class OrderingClient(ServiceClient):
    """Asks on behalf of the storefront that sold the order. `url`: where ordering serves."""

    def __init__(
        self, url: str, keys: Mapping[str, SecretStr], tracing: Tracing, page_key: SecretStr | None = None
    ) -> None:
        """`page_key`: PRIVACY_KEY, by which ordering sees that it is the account page that asks."""
        super().__init__("ordering", url, keys, tracing, seconds=5.0)
        self._page_key = page_key

    async def correct(
        self, storefront: str, order_id: UUID, changes: Mapping[str, str], trace: str | None
    ) -> Sent | Refusal:
        """Ask for new contact data (PP 6.1); nothing changes before the code is entered."""
        path, headers = f"/orders/{order_id}/contact-changes", self._proof(order_id)
        return _sent(await self.call("POST", storefront, path, trace, changes, headers=headers))

    async def request(self, storefront: str, order_id: UUID, kind: str, trace: str | None) -> Sent | Refusal:
        """Ask for an export, a block, its lifting or an erasure (PP 6.2)."""
        body = {"order": str(order_id), "kind": kind}
        headers = self._proof(order_id)
        return _sent(await self.call("POST", storefront, "/privacy/requests", trace, body, headers=headers))

    def _proof(self, order_id: UUID) -> dict[str, str]:
        return {} if self._page_key is None else {PAGE_PROOF: page_proof(self._page_key, order_id)}

    async def confirm(self, storefront: str, confirmation_id: UUID, code: str, trace: str | None) -> Refusal | None:
        """Enter the code; None where it was right, and what was asked for is done or under way."""
        path = f"/confirmations/{confirmation_id}"
        answer = await self.call("POST", storefront, path, trace, {"code": code})
        return None if answer is not None and answer.is_success else _refusal(answer)

    async def proof(self, storefront: str, request_id: UUID, trace: str | None) -> Proof | None:
        """Where a request stands; None where ordering does not answer."""
        answer = await self.call("GET", storefront, f"/privacy/requests/{request_id}", trace)
        if answer is None or not answer.is_success:
            return None
        try:
            return Proof.model_validate_json(answer.content)
        except ValidationError:
            return None

    async def export(self, storefront: str, request_id: UUID, trace: str | None, *, media_type: str) -> bytes | None:
        """All data of the buyer, as text/html or application/json; None where it cannot be had whole."""
        path = f"/privacy/requests/{request_id}/export"
        options: dict[str, Any] = {"headers": {"accept": media_type}, "timeout": _EXPORT_SECONDS}
        answer = await self.call("GET", storefront, path, trace, **options)
        return answer.content if answer is not None and answer.is_success else None


def _sent(answer: httpx.Response | None) -> Sent | Refusal:
    if answer is None or not answer.is_success:
        return _refusal(answer)
    try:
        return Sent.model_validate_json(answer.content)
    except ValidationError:
        return "not_now"


def _refusal(answer: httpx.Response | None) -> Refusal:
    """From a problem document (RFC 9457), which names fields and no values."""
    try:
        problem = read_json(answer) if answer is not None else {}
        kind = str(problem.get("type", "")).removeprefix("urn:problem:")
        fields = [str(error.get("field", "")) for error in problem.get("errors", ())]
    except (ValueError, AttributeError, TypeError):
        return "not_now"
    if answer is not None and answer.status_code == HTTPStatus.UNPROCESSABLE_ENTITY:
        if any(field.endswith("email") for field in fields):
            return "wrong_email"
        if any(field.endswith("phone") for field in fields):
            return "wrong_phone"
        return "wrong_code" if any(field.endswith("code") for field in fields) else "nothing_new"
    return _REFUSALS.get(kind, "not_now")
