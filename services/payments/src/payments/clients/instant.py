"""A bank that approves every payment at once and holds no money: for benchmarks (EPAY_ADAPTER=instant)."""

from collections.abc import Mapping
from typing import Any

from payments.clients.models import Expected, StatusAnswer
from shared.outcomes import Done


class InstantBank:
    """Reports every payment as captured and every refund as made, in this process and without a call."""

    async def payment_token(self, payment: Expected, secret_hash: str, trace: str | None) -> Done[Mapping[str, Any]]:  # noqa: ARG002 - the protocol's
        return Done({"access_token": "instant", "expires_in": 7200, "refresh_token": "", "scope": "payment"})

    async def status(self, payment: Expected, trace: str | None) -> Done[StatusAnswer]:  # noqa: ARG002 - the protocol's
        return Done(
            StatusAnswer(
                result="100",
                status="CHARGE",
                transaction_id=f"instant-{payment.invoice_id}",
                amount=payment.amount,
                currency=payment.currency,
                terminals=frozenset({payment.terminal}),
            )
        )

    async def charge(self, transaction_id: str, trace: str | None) -> Done[None]:  # noqa: ARG002 - the protocol's
        """Do nothing: no money is ever held."""
        return Done(None)

    async def cancel(self, transaction_id: str, trace: str | None) -> Done[None]:  # noqa: ARG002 - the protocol's
        """Do nothing: no money is ever held."""
        return Done(None)

    async def refund(self, transaction_id: str, amount: int, external_id: str, trace: str | None) -> Done[None]:  # noqa: ARG002 - the protocol's
        """Report the refund as made."""
        return Done(None)

    async def close(self) -> None:
        """Do nothing: there are no connections."""
