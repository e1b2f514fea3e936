"""The bodies of updates, one model per type: the source of the JSON Schemas that shops read.

Bodies only gain optional fields. Times are UTC, ISO 8601; amounts are in minor units of their currency. A body holds
no personal data and no activation code.
"""

from collections.abc import Mapping
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, create_model

from ordering.timeline.models import Status
from ordering.updates.models import TYPES, UpdateType
from shared.contracts import FieldError, Kind, Money
from shared.values.moment import Moment


class Data(BaseModel):
    """Ignores what a newer release adds."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class OrderData(Data):
    """What every update about an order says. `submission_id` is the idempotency key that the shop gave."""

    order_id: UUID
    order_number: str
    submission_id: str | None
    kind: Kind
    #: The order's status when the update was written, after this fact and all others that had arrived.
    status: Status
    plan_id: str
    price: Money
    #: Placed with a key for tests (`esim_test_…`), in a sandbox deployment.
    test: bool = False


class Rejected(Data):
    """A submission over Kafka was refused (then there is no order), or an agent refused a held order."""

    order_id: UUID | None
    order_number: str | None
    submission_id: str | None
    kind: Kind | None = None
    status: Status | None = None
    plan_id: str | None = None
    price: Money | None = None
    test: bool | None = None
    #: As in problem documents: `invalid-order`, `outdated-documents`, ...; `refused-by-agent`.
    reason: str
    errors: tuple[FieldError, ...] = ()


class PaymentFailed(OrderData):
    """An attempt to pay failed; the order can still be paid. `reason_code` is the bank's (docs/wire/epay.md)."""

    reason_code: int | None


class Delivered(OrderData):
    """The QR code was e-mailed or shown in the account, whichever was first (PO 3.4)."""

    channel: str | None


class DeliveryFailed(OrderData):
    """The mail server refused the QR code's mail permanently."""

    smtp_code: int | None


class RefundRequested(OrderData):
    """A refund case is open. `appeal`: it was denied before. `surplus`: about a second payment (RF 2.4)."""

    case_id: UUID
    appeal: bool
    surplus: bool


class InformationNeeded(OrderData):
    """The case waits for exactly these fields (RF 4.3)."""

    case_id: UUID
    missing: tuple[str, ...]


class RefundDenied(OrderData):
    """The request was refused, by these clauses of the shop's policy."""

    case_id: UUID
    clauses: tuple[str, ...]


class Refund(OrderData):
    """A refund of money. `attempt` counts from 1; `surplus`: of a second payment."""

    refund_id: UUID
    amount: Money | None
    attempt: int = Field(ge=1)
    surplus: bool


class RefundApproved(Refund):
    """The money is on its way: approved, by these clauses, or tried again after the bank had refused."""

    clauses: tuple[str, ...]


class RefundSettled(Refund):
    """The money was paid back. `credited_by` is the last usual day; `way` is set where a person paid it."""

    credited_by: str | None
    way: str | None


class RefundFailed(Refund):
    """The bank refused, and a person must act. `amount` is what is still owed."""


class DataLow(OrderData):
    """So much of the data is used: 80 or 100 per cent. Both follow again after a top-up has raised `total_bytes`."""

    percent: int | None
    used_bytes: int | None
    total_bytes: int | None


class Expiring(OrderData):
    """The eSIM ends soon, unless it is activated (`never_activated`, RC 7) or topped up (`plan_ended`)."""

    reason: str | None
    ends_at: Moment | None
    #: The last day on which it works, in the shop's time zone.
    ends_on: str | None


class Expired(OrderData):
    """The eSIM has expired: `never_activated` (RC 7) or `plan_ended`."""

    reason: str | None


class ToppedUp(OrderData):
    """Data and validity of an eSIM were extended; the order is the top-up's."""

    total_bytes: int | None


#: The data of each type; the others are plain `OrderData`.
_DATA: Mapping[UpdateType, type[Data]] = {
    "order.rejected": Rejected,
    "order.payment_failed": PaymentFailed,
    "order.delivered": Delivered,
    "order.delivery_failed": DeliveryFailed,
    "refund.requested": RefundRequested,
    "refund.information_needed": InformationNeeded,
    "refund.approved": RefundApproved,
    "refund.denied": RefundDenied,
    "refund.settled": RefundSettled,
    "refund.failed": RefundFailed,
    "esim.data_low": DataLow,
    "esim.expiring": Expiring,
    "esim.expired": Expired,
    "esim.topped_up": ToppedUp,
}
_MEANINGS: Mapping[UpdateType, str] = {
    "order.accepted": "The order was accepted and has a number. `status` is `held` where fraud control holds it.",
    "order.rejected": "The order will not be served.",
    "order.held": "Fraud control holds the order until an agent decides (PP 4.5). It cannot be paid before.",
    "order.released": "An agent released a held order: it can be paid.",
    "order.payment_failed": "An attempt to pay failed. The order can still be paid.",
    "order.lapsed": "The order was not paid in time. A late payment is accepted.",
    "order.paid": "The money is captured.",
    "order.delivered": "The QR code reached the buyer.",
    "order.delivery_failed": "The mailbox refused the QR code.",
    "order.failed": "No eSIM, or no top-up, will come. The money goes back.",
    "refund.requested": "A refund case is open.",
    "refund.information_needed": "The refund case waits for information from the buyer.",
    "refund.approved": "The refund is approved; the money is on its way.",
    "refund.denied": "The refund was denied.",
    "refund.settled": "The refund was paid.",
    "refund.failed": "The bank refused the refund; a person must act.",
    "esim.installed": "The eSIM was installed on a device.",
    "esim.first_used": "The eSIM was used for the first time.",
    "esim.data_low": "Most or all of the data are used.",
    "esim.expiring": "The eSIM's validity ends soon.",
    "esim.expired": "The eSIM has expired.",
    "esim.revoked": "The eSIM was revoked; its code does not work any more.",
    "esim.topped_up": "The top-up was applied.",
    "buyer.erased": "The buyer's personal data were erased everywhere (PP 6.2). Erase yours.",
}


def _body(type_: UpdateType) -> type[BaseModel]:
    name = "".join(part.capitalize() for part in type_.replace(".", "_").split("_"))
    #: `timestamp`: when the fact became true.
    fields: dict[str, Any] = {
        "type": (Literal.__getitem__(type_), ...),
        "timestamp": (Moment, ...),
        "data": (_DATA.get(type_, OrderData), ...),
    }
    config = ConfigDict(frozen=True, extra="ignore")
    model: type[BaseModel] = create_model(name, __config__=config, __doc__=_MEANINGS[type_], **fields)
    return model


#: The model of a whole body, by type.
BODIES: Mapping[UpdateType, type[BaseModel]] = {type_: _body(type_) for type_ in TYPES}
