"""Values of the daily comparison, and the payloads of its tasks. Amounts in minor units."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from shared.task_payload import TaskPayload

#: Kinds of tasks: `reconcile` plans the invoices of a day in steps, `compare` asks the bank about one of them.
PLAN, COMPARE = "reconcile", "compare"


class PlanPayload(TaskPayload):
    """A step: the invoices of `day` above the invoice id `after`. The task's key is `<day>/<after>`."""

    day: date
    after: int


class ComparePayload(TaskPayload):
    """One invoice of a day. The task's key is `<day>/<invoice id>`."""

    order_id: UUID
    amount: int
    currency: str
    day: date
    #: None: scheduled by a release that did not say it.
    order_number: str | None = None


@dataclass(slots=True, frozen=True)
class PlannedInvoice:
    """An invoice that is to be compared; the amount that was requested."""

    invoice_id: int
    order_id: UUID
    amount: int
    currency: str
    order_number: str


@dataclass(slots=True, frozen=True)
class Ours:
    """One invoice by our ledger. `promised`: the bank may have been asked to return that much more.

    `by_hand`: what persons paid or are paying another way; the bank must not show it.
    """

    captured: int
    returned: int
    promised: int = 0
    by_hand: int = 0


@dataclass(slots=True, frozen=True)
class Difference:
    """The kind of a difference, our value, and the bank's value."""

    what: str
    ours: str
    banks: str


@dataclass(slots=True, frozen=True)
class FoundDifference:
    """A difference, and the day, invoice and order that it belongs to."""

    day: date
    invoice_id: int
    order_id: UUID
    difference: Difference


@dataclass(slots=True, frozen=True)
class FinishedDay:
    """A day whose comparison is finished: how many invoices were compared, and how many differences are stored."""

    day: date
    compared: int
    differences: int
