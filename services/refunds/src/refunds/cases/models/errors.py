"""Why something cannot be done with an order or a case. These errors know no HTTP; problems.py answers them."""

from uuid import UUID


class UnknownOrderError(LookupError):
    """Nothing is known of that order, or it belongs to another storefront."""


class NotPaidError(Exception):
    """The order is not known to be paid: there is nothing to return."""


class AlreadyRefundedError(Exception):
    """Everything that was paid goes back, or has gone back, by another case."""

    def __init__(self, case_id: UUID | None) -> None:
        super().__init__("already refunded")
        self.case_id = case_id


class NotAllowedError(Exception):
    """The case is not in a state for that, or it is not this person's to decide. The message says which."""
