"""Values of fiscal receipts, and the kind of their tasks."""

from dataclasses import dataclass
from datetime import datetime

from payments.clients.models import Issued, Wanted

#: Cash registers in Kazakhstan take this currency only.
CURRENCY = "KZT"


def kind_of(storefront: str) -> str:
    """The kind of the tasks that issue a storefront's receipts: each storefront has a queue. Key: the receipt's id."""
    return f"receipt:{storefront}"


@dataclass(slots=True, frozen=True)
class PendingReceipt:
    """A receipt, and how many of its storefront wait. `requested_at`: the register that may have received it before."""

    wanted: Wanted
    currency: str
    waiting: int
    oldest: datetime | None
    requested_at: str | None
    issued: bool = False
    #: A return whose sale has no receipt yet.
    waits_for_sale: bool = False


@dataclass(slots=True, frozen=True)
class ReceiptIssue:
    """The end of a task. `adopted`: an earlier call issued it, whose answer was lost. None: it was recorded before."""

    issued: Issued | None
    adopted: bool = False
