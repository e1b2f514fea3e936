"""A bank that approves everything at once and holds no money: for benchmarks (EPAY_ADAPTER=instant)."""

from collections.abc import Mapping
from typing import Any

from payments.attempts.rules.status import Expected, StatusAnswer


class InstantBank:
    """Every payment is captured as asked, every refund succeeds, in this process and without a call."""

    async def payment_token(self, payment: Expected, secret_hash: str, trace: str | None) -> Mapping[str, Any]:  # noqa: ARG002 - the protocol's
        return {"access_token": "instant", "expires_in": 7200, "refresh_token": "", "scope": "payment"}

    async def status(self, payment: Expected, trace: str | None) -> StatusAnswer:  # noqa: ARG002 - the protocol's
        return StatusAnswer(
            result="100",
            status="CHARGE",
            transaction_id=f"instant-{payment.invoice_id}",
            amount=payment.amount,
            currency=payment.currency,
            terminals=frozenset({payment.terminal}),
        )

    async def charge(self, transaction_id: str, trace: str | None) -> None:
        """Nothing is ever held."""

    async def cancel(self, transaction_id: str, trace: str | None) -> None:
        """Nothing is ever held."""

    async def refund(self, transaction_id: str, amount: int, external_id: str, trace: str | None) -> None:
        """Done."""

    async def close(self) -> None:
        """Nothing is open."""
