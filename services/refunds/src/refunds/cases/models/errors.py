"""Why something cannot be done with an order or a case. These errors know no HTTP; `refunds.problems` answers them."""

from datetime import timedelta
from uuid import UUID


class UnknownOrderError(LookupError):
    """The order or case does not exist here, or it belongs to another storefront."""


class UnknownCaseError(LookupError):
    """There is no case with this id, or it belongs to another storefront."""


class NotPaidError(Exception):
    """No payment of the order is recorded, so there is nothing to return."""


class AlreadyRefundedError(Exception):
    """Another case returns, or has returned, everything that was paid. `case_id` names it where it is known."""

    def __init__(self, case_id: UUID | None) -> None:
        super().__init__("already refunded")
        self.case_id = case_id


class AmountError(Exception):
    """The shop decided to return what cannot be returned: more than is left (PO 6.3), nothing, or another currency."""


class KeyReusedError(Exception):
    """The idempotency key stands for another request."""


class NotAllowedError(Exception):
    """The state of the case does not allow it, or this person may not decide it. The message says which."""


class LimitError(Exception):
    """A limit is reached; what was accepted before is kept.

    `limit` names it. `again`: after this the limit accepts something again; None: never by itself. The message says how
    much is allowed and what to do instead.
    """

    def __init__(self, limit: str, message: str, again: timedelta | None) -> None:
        super().__init__(message)
        self.limit = limit
        self.again = again
