"""What the account page asks the refunds service, over HTTP."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from pydantic import BaseModel, SecretStr, ValidationError

from notifications.clients.service import ServiceClient
from shared.contracts import Explanation
from shared.telemetry.tracing import Tracing

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


class RefundsClient(ServiceClient):
    """Asks on behalf of the storefront that sold the order. `url`: where refunds serves."""

    def __init__(self, url: str, keys: Mapping[str, SecretStr], tracing: Tracing) -> None:
        super().__init__("refunds", url, keys, tracing)

    async def eligibility(self, storefront: str, order_id: UUID, trace: str | None) -> Eligibility | None:
        """What the terms say today; None where refunds does not answer, or not to us."""
        answer = await self.call("GET", storefront, f"/orders/{order_id}/refund-eligibility", trace)
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
        answer = await self.call("POST", storefront, f"/orders/{order_id}/refund-requests", trace, body)
        return answer is not None and answer.status_code in _DONE
