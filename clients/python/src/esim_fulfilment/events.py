"""Webhook events, typed. An event of an unknown type, or with fields that this version does not know, is kept.

`event.type` says what happened; the class says which fields `event.data` has:

    match event:
        case OrderEvent(type="order.delivered"): ...
        case RefundEvent(): ...
"""

from contextlib import suppress
from datetime import date, datetime
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from esim_fulfilment.errors import FieldProblem
from esim_fulfilment.models import Money

OrderEventType = Literal[
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
]
RefundEventType = Literal[
    "refund.requested",
    "refund.information_needed",
    "refund.approved",
    "refund.denied",
    "refund.settled",
    "refund.failed",
]
EsimEventType = Literal[
    "esim.installed",
    "esim.first_used",
    "esim.data_low",
    "esim.expiring",
    "esim.expired",
    "esim.revoked",
    "esim.topped_up",
]


class EventData(BaseModel):
    """What most events carry. What a field does not say is None: not reported, which is never "no" or zero."""

    model_config = ConfigDict(frozen=True, extra="allow")

    order_id: str | None = None
    order_number: str | None = None
    #: The idempotency key that the shop placed the order with.
    submission_id: str | None = None
    kind: str | None = None
    status: str | None = None
    plan_id: str | None = None
    price: Money | None = None
    #: Whether the order was placed with a key for tests.
    test: bool | None = None


class OrderData(EventData):
    """Data of `order.…`. An `order.rejected` without an `order_id` is a submission that never became an order."""

    #: Why an order was rejected, and which fields were wrong.
    reason: str | None = None
    errors: tuple[FieldProblem, ...] | None = None
    #: The bank's code of a failed payment, and the mail server's of a refused mail.
    reason_code: int | None = None
    smtp_code: int | None = None
    #: How the code was delivered: `email` or `account`.
    channel: str | None = None


class RefundData(EventData):
    """Data of `refund.…`. `surplus`: about a second payment of the same order, not about the order's own."""

    case_id: str | None = None
    refund_id: str | None = None
    amount: Money | None = None
    attempt: int | None = None
    surplus: bool | None = None
    appeal: bool | None = None
    #: The fields that an incomplete request lacks.
    missing: tuple[str, ...] | None = None
    #: The clauses of the seller's documents that decided.
    clauses: tuple[str, ...] | None = None
    credited_by: date | None = None
    #: How a person paid a refund that the bank refused.
    way: str | None = None


class EsimData(EventData):
    """Data of `esim.…`. Usage is in bytes, `percent` of the plan's data; `reason` is why it ends."""

    percent: int | None = None
    used_bytes: int | None = None
    total_bytes: int | None = None
    reason: str | None = None
    ends_at: datetime | None = None
    #: The last day, in the shop's time zone.
    ends_on: date | None = None


class Event(BaseModel):
    """An event. `id` (`webhook-id`) is stable over retries and redeliveries: handle each id once."""

    model_config = ConfigDict(frozen=True, extra="allow")

    id: str
    type: str
    timestamp: datetime


class OrderEvent(Event):
    """Something happened to an order."""

    type: OrderEventType
    data: OrderData


class RefundEvent(Event):
    """Something happened to a refund case."""

    type: RefundEventType
    data: RefundData


class EsimEvent(Event):
    """Something happened to an eSIM."""

    type: EsimEventType
    data: EsimData


class BuyerErased(Event):
    """A buyer's data are deleted in all services: delete them too."""

    type: Literal["buyer.erased"]
    data: EventData


class UnknownEvent(Event):
    """An event that this version has no class for. Answer it with 2xx like any other; `data` is as it was sent."""

    data: JsonValue = None


AnyEvent = OrderEvent | RefundEvent | EsimEvent | BuyerErased | UnknownEvent
_CLASSES: dict[str, type[OrderEvent | RefundEvent | EsimEvent | BuyerErased]] = {
    **dict.fromkeys(get_args(OrderEventType), OrderEvent),
    **dict.fromkeys(get_args(RefundEventType), RefundEvent),
    **dict.fromkeys(get_args(EsimEventType), EsimEvent),
    "buyer.erased": BuyerErased,
}


def event_of(webhook_id: str, body: JsonValue) -> AnyEvent:
    """The event in a payload. Raises ValueError where the payload has no type or no time.

    A type of ours whose data have another form than this version describes becomes an UnknownEvent: a newer service
    does not make an older shop refuse what it needs.
    """
    if not isinstance(body, dict):
        raise TypeError("the payload is not an object")
    values = {**body, "id": webhook_id}
    type_ = body.get("type")
    event_class = _CLASSES.get(type_) if isinstance(type_, str) else None
    if event_class is not None:
        with suppress(ValidationError):  # data of a newer service: kept as they are, below
            return event_class.model_validate(values)
    return UnknownEvent.model_validate(values)
