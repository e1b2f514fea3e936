"""Values of refunds. Amounts in minor units."""

from dataclasses import dataclass
from datetime import datetime

#: Kind of the task that makes a refund; its key is the refund's id.
REFUND = "refund"


@dataclass(slots=True, frozen=True)
class Failure:
    """Why an attempt failed; `code` is the bank's, None where the bank was not asked."""

    reason: str
    code: int | None = None


@dataclass(slots=True, frozen=True)
class Ended:
    """No attempt is under way: the refund is settled, refused, or paid by hand."""


@dataclass(slots=True, frozen=True)
class Impossible:
    """The refund can never be made."""

    reason: str


@dataclass(slots=True, frozen=True)
class Waiting:
    """The refund cannot be made yet. `give_up_reason`: why it fails when it has waited too long; None: it may wait."""

    reason: str
    give_up_reason: str | None = None


@dataclass(slots=True, frozen=True, kw_only=True)
class Intent:
    """A refund whose amount is promised: the bank may be called.

    `fresh`: the promise was stored just now, so that no call of this attempt can have been made before.
    """

    amount: int
    currency: str
    external_id: str
    transaction_id: str
    invoice_id: int
    captured: int
    #: What the bank still held of the capture before this refund.
    owed: int
    fresh: bool
    #: Counts from 1. Before a later attempt the bank is always asked for the status.
    attempt: int
    #: When the bank was called last, or is about to be.
    called_at: datetime
