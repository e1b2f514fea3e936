"""What payments needs of a bank. Every call returns an outcome (shared.outcomes)."""

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

from payments.clients.models import Expected, StatusAnswer
from shared.outcomes import Done, NotSent, Refused, Unknown

#: The bank's whole answer to a token request, which the payment page needs as it is.
TokenOutcome: TypeAlias = Done[Mapping[str, Any]] | Refused | NotSent
#: A question changes nothing, so a lost answer is as good as a question that was not sent.
StatusOutcome: TypeAlias = Done[StatusAnswer] | NotSent
#: `Refused.code` is the bank's code. Its message is not kept: it may repeat what a person typed.
OperationOutcome: TypeAlias = Done[None] | Refused | NotSent | Unknown


class Bank(Protocol):
    """Epay's operations. `trace` is the traceparent that the call continues."""

    async def payment_token(self, payment: Expected, secret_hash: str, trace: str | None) -> TokenOutcome:
        """Get a token for the payment page of one payment."""

    async def status(self, payment: Expected, trace: str | None) -> StatusOutcome:
        """Ask for the status of a payment (check-status)."""

    async def charge(self, transaction_id: str, trace: str | None) -> OperationOutcome:
        """Capture held money."""

    async def cancel(self, transaction_id: str, trace: str | None) -> OperationOutcome:
        """Release held money."""

    async def refund(self, transaction_id: str, amount: int, external_id: str, trace: str | None) -> OperationOutcome:
        """Return `amount` minor units to the buyer."""

    async def close(self) -> None:
        """Close the connections."""
