"""An order as it was accepted, and the facts that are recorded about it."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypedDict
from uuid import UUID

from shared.account_entry import entry_path

_NUMBER = re.compile(r"[0-9]{6,15}")
#: The kind of task of this feature, as it is stored.
DERIVE_STATUSES = "derive_statuses"


class Fact(StrEnum):
    """What may have happened to an order, in the usual sequence."""

    ORDER_PLACED = "order_placed"
    ORDER_HELD = "order_held"
    ORDER_RELEASED = "order_released"
    ORDER_REFUSED = "order_refused"
    PAYMENT_FAILED = "payment_failed"
    PAYMENT_LAPSED = "payment_lapsed"
    ORDER_PAID = "order_paid"
    DUPLICATE_CHARGED = "duplicate_charged"
    PROFILE_GENERATED = "profile_generated"
    PROFILE_FAILED = "profile_failed"
    TOP_UP_APPLIED = "top_up_applied"
    TOP_UP_FAILED = "top_up_failed"
    DELIVERY_FAILED = "delivery_failed"
    QR_DELIVERED = "qr_delivered"
    PROFILE_INSTALLED = "profile_installed"
    PROFILE_ACTIVATED = "profile_activated"
    PROFILE_FIRST_USED = "profile_first_used"
    DATA_LOW = "data_low"
    PROFILE_EXPIRING = "profile_expiring"
    PROFILE_DELETED = "profile_deleted"
    PROFILE_EXPIRED = "profile_expired"
    REFUND_REQUESTED = "refund_requested"
    INFORMATION_NEEDED = "information_needed"
    CANCELLATION_ACCEPTED = "cancellation_accepted"
    REFUND_DENIED = "refund_denied"
    APPEAL_RECEIVED = "appeal_received"
    PROFILE_REVOKED = "profile_revoked"
    REVOCATION_REFUSED = "revocation_refused"
    REFUND_APPROVED = "refund_approved"
    REFUND_FAILED = "refund_failed"
    REFUND_RETRIED = "refund_retried"
    REFUND_PAID_BY_HAND = "refund_paid_by_hand"
    REFUND_SETTLED = "refund_settled"
    #: The refund of a part of the payment: the eSIM stays in use, and the order's status follows it.
    REFUND_PART_APPROVED = "refund_part_approved"
    REFUND_PART_SETTLED = "refund_part_settled"
    #: A second payment for the same order and its refund: they do not change the order's status.
    SURPLUS_REQUESTED = "surplus_requested"
    SURPLUS_APPROVED = "surplus_approved"
    SURPLUS_FAILED = "surplus_failed"
    SURPLUS_RETRIED = "surplus_retried"
    SURPLUS_PAID_BY_HAND = "surplus_paid_by_hand"
    SURPLUS_SETTLED = "surplus_settled"
    RECEIPT_ISSUED = "receipt_issued"


class Status(StrEnum):
    """Where an order stands."""

    PLACED = "placed"
    HELD = "held"
    REFUSED = "refused"
    PAYMENT_FAILED = "payment_failed"
    LAPSED = "lapsed"
    PAID = "paid"
    PROFILE_READY = "profile_ready"
    PROVISIONING_FAILED = "provisioning_failed"
    DELIVERY_FAILED = "delivery_failed"
    DELIVERED = "delivered"
    TOPPED_UP = "topped_up"
    EXPIRED = "expired"
    REVOKED = "revoked"
    REFUND_REQUESTED = "refund_requested"
    REFUND_APPROVED = "refund_approved"
    REFUND_FAILED = "refund_failed"
    REFUNDED = "refunded"


class FactDetail(TypedDict, total=False):
    """The details that a fact's sentence needs, stored as JSON in `order_facts.detail`. No personal data.

    Amounts are in minor units of `currency`. `credited_by` is a day (ISO 8601).
    """

    amount: int
    currency: str
    clauses: list[str]
    missing: list[str]
    #: The bank's reasonCode of a failed payment (docs/wire/epay.md).
    reason_code: int
    #: Why a profile expired, or will expire; what a refund was requested for.
    reason: str
    #: The case that a refund was approved in. Missing in facts of earlier releases.
    case_id: str
    #: When a profile will expire, and its last day in the storefront's time zone (ISO 8601).
    ends_at: str
    ends_on: str
    #: How much of the data is used, in percent of `total_bytes`, and in bytes.
    percent: int
    used_bytes: int
    channel: str
    smtp_code: int | None
    total_bytes: int
    #: The kind of a receipt and where it can be read.
    kind: str
    link: str | None
    credited_by: str
    #: How a person paid a refund that the bank refused.
    way: str


@dataclass(frozen=True, slots=True)
class RecordedFact:
    """A fact about one order and the time at which it became true (UTC).

    `ref` distinguishes several facts of one kind, for example two failed payments or two refund cases.
    """

    fact: Fact
    at: datetime
    ref: str = ""
    detail: FactDetail = field(default_factory=FactDetail)
    trace: str | None = None


@dataclass(frozen=True, slots=True)
class OrderState:
    """An order, and the facts that are recorded about it: (fact, ref, time). `price` is in minor units."""

    order_id: UUID
    storefront: str
    number: int
    kind: str
    plan_id: str
    price: int
    currency: str
    submission_id: str | None
    facts: tuple[tuple[Fact, str, datetime], ...] = ()
    #: Placed with a key for tests.
    test: bool = False


@dataclass(frozen=True, slots=True)
class NewFact:
    """A fact that was just recorded, and its order with the facts from before the statement."""

    recorded: RecordedFact
    order: OrderState


@dataclass(frozen=True, slots=True)
class Reference:
    """How a caller names an order: by its id or its number. Both are None where the text can be neither."""

    order_id: UUID | None = None
    number: int | None = None

    @classmethod
    def parse(cls, text: str) -> "Reference":
        """Read what a caller wrote in a path or a body."""
        if _NUMBER.fullmatch(text):
            return cls(number=int(text))
        try:
            return cls(order_id=UUID(text))
        except ValueError:
            return cls()


@dataclass(frozen=True, slots=True)
class AccountPages:
    """Where buyers reach notifications, without a slash at the end. None: not configured."""

    base: str | None = None

    def of(self, storefront: str, order_id: UUID) -> str | None:
        """The address of an order's account page. It is no secret: the buyer proves the mailbox there."""
        return None if self.base is None else self.base + entry_path(storefront, order_id)


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """An accepted order. `price` is in minor units; `plan` is the plan as JSON, as it was sold."""

    order_id: UUID
    storefront: str
    number: int
    kind: str
    plan: dict[str, Any]
    price: int
    currency: str
    placed_at: datetime
    trace: str | None
    #: SHA-256 of the body that it was accepted with; empty where it is not needed.
    body_hash: bytes = b""
    #: Fraud control held it when it was accepted (PP 4.5).
    held: bool = False
    #: Placed with a key for tests.
    test: bool = False
