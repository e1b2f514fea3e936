"""Client of refunds: what the terms say of a refund today, and requests for one."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from notifications.clients.service import ServiceClient
from shared.contracts import Explanation
from shared.outcomes import Done, NotSent, Refused, Unknown
from shared.telemetry.tracing import Tracing

_SUCCESS = {200, 201}


class ReasonAnswer(BaseModel):
    """The decision that the terms give today for a request with this reason."""

    reason: str
    verdict: str
    explanation: Explanation


class Eligibility(BaseModel):
    """Whether an order can be refunded. status: open | refunded | not_paid."""

    status: str
    answers: tuple[ReasonAnswer, ...] = ()


class RefundsClient(ServiceClient):
    """Calls refunds on behalf of the storefront that sold the order."""

    def __init__(self, url: str, keys: Mapping[str, SecretStr], tracing: Tracing) -> None:
        super().__init__("refunds", url, keys, tracing)

    async def eligibility(
        self, storefront: str, order_id: UUID, trace: str | None
    ) -> Done[Eligibility] | Refused | NotSent | Unknown:
        """Read what the terms say today."""
        match _successful(await self.call("GET", storefront, f"/orders/{order_id}/refund-eligibility", trace)):
            case Done(value=response):
                try:
                    return Done(Eligibility.model_validate_json(response.content))
                except ValidationError:
                    return Unknown("the answer of refunds cannot be read")
            case other:
                return other

    async def request_refund(
        self, storefront: str, order_id: UUID, reason: str, words: str, provided: Sequence[str], trace: str | None
    ) -> Done[httpx.Response] | Refused | NotSent | Unknown:
        """Request a refund. Repeating the request with the same reason joins the existing case."""
        body: dict[str, Any] = {"reason": reason, "channel": "account", "provided": list(provided)}
        if words:
            body["circumstances"] = words
        return _successful(await self.call("POST", storefront, f"/orders/{order_id}/refund-requests", trace, body))


def _successful(
    outcome: Done[httpx.Response] | NotSent | Unknown,
) -> Done[httpx.Response] | Refused | NotSent | Unknown:
    if isinstance(outcome, Done) and outcome.value.status_code not in _SUCCESS:
        return Refused(str(outcome.value.status_code), "refunds did not accept the request")
    return outcome
