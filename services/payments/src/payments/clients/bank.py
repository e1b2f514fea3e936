"""The bank as payments needs it, and the ways a call to it can end."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Protocol

from payments.attempts.rules.status import Expected, StatusAnswer


class BankAwayError(Exception):
    """The bank surely did nothing: not reached, busy, or a question that may be asked again."""

    def __init__(self, reason: str, *, delay: timedelta | None = None) -> None:
        super().__init__(reason)
        self.delay = delay


class BankUnclearError(Exception):
    """The call may have happened: its reply was lost, late, or makes no sense."""


class BankRefusedError(Exception):
    """The bank answered no. Only its code is kept: its words may repeat what a person typed."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the bank refused with code {code}")
        self.code = code


class Bank(Protocol):
    """Epay's operations. `trace` is the traceparent that the call continues."""

    async def payment_token(self, payment: Expected, secret_hash: str, trace: str | None) -> Mapping[str, Any]:
        """The whole token answer for one payment. Raises BankAwayError, BankRefusedError."""

    async def status(self, payment: Expected, trace: str | None) -> StatusAnswer:
        """check-status. Raises BankAwayError."""

    async def charge(self, transaction_id: str, trace: str | None) -> None:
        """Capture held money. Raises BankAwayError, BankUnclearError, BankRefusedError."""

    async def cancel(self, transaction_id: str, trace: str | None) -> None:
        """Let held money go. Raises as `charge`."""

    async def refund(self, transaction_id: str, amount: int, external_id: str, trace: str | None) -> None:
        """Give back `amount` minor units. Raises as `charge`."""

    async def close(self) -> None:
        """Hang up."""
