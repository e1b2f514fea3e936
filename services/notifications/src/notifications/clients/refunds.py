"""Client of refunds: what the terms say today, the cases of an order, and what its buyer asks and sends."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import httpx
from pydantic import BaseModel, SecretStr, ValidationError

from notifications.clients.service import ServiceClient
from shared.contracts import Explanation, Ground
from shared.kernel.outbound import read_json
from shared.outcomes import Done, NotSent, Refused, Unknown
from shared.telemetry.tracing import Tracing

_SUCCESS = {200, 201}
_UPLOAD_SECONDS = 20.0
#: The terms by themselves, the shop that sold the order, or a person at support.
Decider = Literal["auto", "shop", "person"]
RefundsOutcome = Done[httpx.Response] | Refused | NotSent | Unknown


class ReasonAnswer(BaseModel):
    """The decision that the terms give today for a request with this reason."""

    reason: str
    verdict: str
    explanation: Explanation


class CaseDecision(BaseModel):
    """The newest decision of a case. decided_by: `system`, `storefront:<slug>`, or the account of a person."""

    decided_at: datetime
    decided_by: str | None = None
    grounds: tuple[Ground, ...] = ()
    explanation: Explanation
    missing: tuple[str, ...] = ()

    @property
    def decider(self) -> Decider:
        """Who decided."""
        if self.decided_by in {None, "system"}:
            return "auto"
        return "shop" if str(self.decided_by).startswith("storefront:") else "person"


class RefundCase(BaseModel):
    """A case of an order, as far as its buyer sees it. due_at: the next deadline of ours."""

    case_id: UUID
    reason: str | None = None
    ground: str = ""
    state: str
    requested_at: datetime
    due_at: datetime | None = None
    decision: CaseDecision | None = None
    appealed_at: datetime | None = None


class Eligibility(BaseModel):
    """Whether an order can be refunded. status: open | refunded | not_paid; cancellation: possible | not_yet."""

    status: str
    answers: tuple[ReasonAnswer, ...] = ()
    cases: tuple[RefundCase, ...] = ()
    cancellation: str | None = None


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
    ) -> RefundsOutcome:
        """Request a refund. Repeating the request with the same reason joins the existing case."""
        body: dict[str, Any] = {"reason": reason, "channel": "account", "provided": list(provided)}
        if words:
            body["circumstances"] = words
        return await self._post(storefront, f"/orders/{order_id}/refund-requests", trace, body)

    async def add_evidence(
        self, storefront: str, order_id: UUID, name: str, content: bytes, trace: str | None
    ) -> RefundsOutcome:
        """Hand over a file. `Refused`: body-too-large, not-evidence, or a limit is reached."""
        options: dict[str, Any] = {"params": {"name": name, "channel": "account"}, "content": content}
        return await self._post(storefront, f"/orders/{order_id}/evidence", trace, **options, timeout=_UPLOAD_SECONDS)

    async def appeal(self, storefront: str, case_id: UUID, words: str, trace: str | None) -> RefundsOutcome:
        """Appeal against a denial (RF 6)."""
        return await self._post(storefront, f"/cases/{case_id}/appeals", trace, {"text": words} if words else {})

    async def cancel(self, storefront: str, order_id: UUID, trace: str | None) -> RefundsOutcome:
        """Cancel an order whose eSIM is not installed (RC 5, 6)."""
        body = {"channel": "account", "provided": ["email"]}
        return await self._post(storefront, f"/orders/{order_id}/cancellation", trace, body)

    async def send_message(
        self, storefront: str, order_id: UUID, words: str, email: str, language: str, trace: str | None
    ) -> RefundsOutcome:
        """Give support a message; the answer goes to `email`."""
        body = {"text": words, "channel": "account", "email": email, "language": language}
        return await self._post(storefront, f"/orders/{order_id}/messages", trace, body)

    async def _post(
        self, storefront: str, path: str, trace: str | None, body: Mapping[str, Any] | None = None, **options: Any
    ) -> RefundsOutcome:
        return _successful(await self.call("POST", storefront, path, trace, body, **options))


def _successful(outcome: Done[httpx.Response] | NotSent | Unknown) -> RefundsOutcome:
    if not isinstance(outcome, Done) or outcome.value.status_code in _SUCCESS:
        return outcome
    try:
        kind = str(read_json(outcome.value)["type"]).removeprefix("urn:problem:")
    except (ValueError, KeyError, TypeError):
        kind = str(outcome.value.status_code)
    return Refused(kind, "refunds did not accept the request")
