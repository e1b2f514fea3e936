"""An update: what a shop hears about one of its orders, and the type that names it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Literal, get_args
from uuid import UUID

from pydantic_core import to_json

from shared.ids import uuid7

#: The kinds of task that deliver an endpoint's webhooks; the key is the endpoint's id. Endpoints whose last attempts
#: failed have a kind of their own, with its own performers: however many hang, they hold up none that works.
DELIVER_WEBHOOKS, RETRY_WEBHOOKS = "deliver_webhooks", "retry_webhooks"
#: How long the delivery of an update is retried: a weekend and a day.
RETRIED_FOR = timedelta(days=3)
#: All types, as webhooks and the shop's topic name them. A receiver ignores types that it does not know.
UpdateType = Literal[
    "order.accepted",
    "order.rejected",
    "order.held",
    "order.released",
    "order.payment_failed",
    "order.lapsed",
    "order.paid",
    "order.delivered",
    "order.delivery_failed",
    "order.failed",
    "refund.requested",
    "refund.information_needed",
    "refund.approved",
    "refund.denied",
    "refund.settled",
    "refund.failed",
    "esim.installed",
    "esim.first_used",
    "esim.data_low",
    "esim.expiring",
    "esim.expired",
    "esim.revoked",
    "esim.topped_up",
    "buyer.erased",
]
TYPES: tuple[UpdateType, ...] = get_args(UpdateType)


@dataclass(frozen=True, slots=True)
class Change:
    """What a fact means for a shop. `ref` distinguishes several updates of one type about one order.

    `fields` are those of the type, ready for JSON; `bodies.py` describes them.
    """

    type: UpdateType
    ref: str = ""
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Update:
    """An update of one shop. `data` is the body's `data`, ready for JSON.

    `order_id` is None only where a submission was refused before it became an order. The id is the `webhook-id`, the
    same in every attempt and redelivery. Ids have the sequence in which updates are made, also within a transaction.
    """

    storefront: str
    order_id: UUID | None
    type: UpdateType
    ref: str
    occurred_at: datetime
    data: dict[str, Any]
    trace: str | None = None
    id: UUID = field(default_factory=uuid7)

    @cached_property
    def body(self) -> bytes:
        """The payload of Standard Webhooks 1.0 as JSON: type, timestamp, data. Written once, for whoever hears it."""
        return to_json({"type": self.type, "timestamp": timestamp(self.occurred_at), "data": self.data})


def timestamp(moment: datetime) -> str:
    """ISO 8601 in UTC: `2026-11-21T09:30:41.240000Z`."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
