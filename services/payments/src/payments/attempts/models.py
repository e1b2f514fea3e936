"""Values of attempts, and the payload of their tasks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from payments.clients.models import Payer, Purchase, StatusAnswer
from shared.task_payload import TaskPayload

#: Kinds of tasks. `check_status` follows a webhook, `poll` follows a timer, `duplicate_capture` is of earlier releases.
CHECK, POLL, DUPLICATE = "check_status", "poll", "duplicate_capture"


class CheckPayload(TaskPayload):
    """What a question to the bank needs, so that asking reads no table; the amount in minor units.

    The task's key is the invoice id.
    """

    order_id: UUID
    amount: int
    currency: str
    #: None: scheduled by a release that did not say it.
    order_number: str | None = None


@dataclass(slots=True, frozen=True)
class LapseTimes:
    """How long an order may stay unpaid: usually, and at storefronts with another time."""

    usual: timedelta
    #: What a shop's own settings say; None: nothing of its own.
    of_shop: Callable[[str], timedelta | None]

    def of(self, storefront: str) -> timedelta:
        """The time of one storefront."""
        return self.of_shop(storefront) or self.usual


@dataclass(slots=True, frozen=True)
class EndedAttempt:
    """An attempt, and the bank's answer that ended it."""

    order_id: UUID
    invoice_id: int
    answer: StatusAnswer
    trace: str | None


@dataclass(slots=True, frozen=True)
class PayableAttempt:
    """The attempt that a buyer pays now: everything in the payment object except the token."""

    purchase: Purchase
    payer: Payer
    trace: str | None
    secret_hash: str = field(repr=False)


@dataclass(slots=True, frozen=True)
class WebhookTarget:
    """The attempt that a webhook names."""

    order_id: UUID
    order_number: str
    amount: int
    currency: str
    trace: str | None
    secret_hash: str = field(repr=False)
