"""Of each fact: when it happened, and which fields operations people may see.

Facts carry ids only, except `ordering.buyer-contact`, which is not shown at all. Sealed codes, texts of operators and
sentences for buyers are left out. An ICCID is shown: it is an id in plain facts, and nothing can be installed with it.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel

from shared.contracts import (
    AppealReceived,
    BuyerErasureRequested,
    CancellationAccepted,
    ClaimAnswered,
    ClaimReceived,
    ConfirmationRequested,
    DataLow,
    DeadlineNear,
    DeliveryFailed,
    DuplicateCharged,
    Event,
    Ground,
    HandPaymentDecided,
    HandPaymentRecorded,
    InformationNeeded,
    InstallStatus,
    MailboxProved,
    Money,
    NotificationsBuyerErased,
    OperatorStatus,
    OrderHeld,
    OrderPaid,
    OrderPlaced,
    OrderRefused,
    OrderRejected,
    OrderReleased,
    PaymentFailed,
    PaymentLapsed,
    PaymentsBuyerErased,
    Plan,
    ProfileExpired,
    ProfileExpiring,
    ProfileFailed,
    ProfileGenerated,
    ProfileObserved,
    ProfileRevoked,
    ProvisioningBuyerErased,
    QrDelivered,
    ReceiptIssued,
    RefundActionAnswered,
    RefundApproved,
    RefundDenied,
    RefundFailed,
    RefundPaidByHand,
    RefundRequested,
    RefundRetried,
    RefundRetryRequested,
    RefundsBuyerErased,
    RefundSettled,
    RequestRegistered,
    RevocationRefused,
    RevocationRequested,
    SupportAnswered,
    TopUpApplied,
    Usage,
    WebhookEndpointDisabled,
)

_LONGEST = 200
_ERASED = ("request_id", "kept")

#: By event: the field that says when it happened, and the fields that are shown.
SHOWN_FIELDS: Mapping[type[Event], tuple[str, tuple[str, ...]]] = {
    OrderPlaced: ("placed_at", ("kind", "plan", "price", "iccid", "offer_version", "submission_id")),
    OrderRejected: ("rejected_at", ("storefront", "submission_id", "reason")),
    OrderHeld: ("held_at", ("rules",)),
    OrderReleased: ("released_at", ()),
    OrderRefused: ("refused_at", ()),
    ConfirmationRequested: ("requested_at", ("purpose", "lifts", "channel", "expires_at")),
    BuyerErasureRequested: ("requested_at", ("storefront", "request_id")),
    DeadlineNear: ("alerted_at", ("case_id", "claim_id", "kind", "due_at")),
    WebhookEndpointDisabled: ("disabled_at", ("storefront", "endpoint_id", "reason", "failing_since", "stopped")),
    OrderPaid: ("paid_at", ("kind", "plan", "paid", "invoice_id", "iccid", "method")),
    PaymentFailed: ("failed_at", ("invoice_id", "reason_code", "reason")),
    PaymentLapsed: ("lapsed_at", ()),
    DuplicateCharged: ("captured_at", ("charge_id", "invoice_id", "amount")),
    ReceiptIssued: ("issued_at", ("kind", "amount", "check_number", "refund_id")),
    RefundSettled: (
        "settled_at",
        ("refund_id", "amount", "credited_by", "charge_id", "way", "paid_by_hand", "remaining_payment"),
    ),
    RefundFailed: ("failed_at", ("refund_id", "amount", "reason", "charge_id", "attempt", "bank_code", "left")),
    RefundRetried: ("retried_at", ("refund_id", "amount", "attempt", "charge_id")),
    RefundPaidByHand: ("paid_at", ("refund_id", "payment_id", "amount", "way", "left", "charge_id")),
    RefundActionAnswered: ("answered_at", ("refund_id", "action_id", "accepted", "reason")),
    RefundRetryRequested: ("requested_at", ("case_id", "refund_id", "action_id", "requested_by")),
    HandPaymentRecorded: ("recorded_at", ("case_id", "refund_id", "payment_id", "amount", "way", "recorded_by")),
    HandPaymentDecided: ("decided_at", ("case_id", "refund_id", "payment_id", "confirmed", "decided_by")),
    ProfileGenerated: ("generated_at", ("iccid", "operator", "valid_until")),
    ProfileFailed: ("failed_at", ("kind", "operator", "statuses", "reason")),
    ProfileObserved: ("observed_at", ("iccid", "operator", "install", "usage", "case_id", "reached")),
    ProfileRevoked: ("revoked_at", ("iccid", "reason", "case_id")),
    RevocationRefused: ("refused_at", ("iccid", "statuses", "case_id", "in_use")),
    ProfileExpired: ("expired_at", ("iccid", "reason")),
    ProfileExpiring: ("announced_at", ("iccid", "reason", "ends_at")),
    DataLow: ("observed_at", ("iccid", "threshold_percent", "used_bytes", "total_bytes")),
    TopUpApplied: ("applied_at", ("iccid", "operator", "esim_order_id", "plan_ends_at")),
    QrDelivered: ("delivered_at", ("channel",)),
    DeliveryFailed: ("failed_at", ("channel", "smtp_code", "enhanced_code")),
    MailboxProved: ("proved_at", ("how",)),
    RefundRequested: ("requested_at", ("case_id", "reason", "origin", "channel")),
    RequestRegistered: ("received_at", ("case_id", "waits_for", "answer_by")),
    InformationNeeded: ("asked_at", ("case_id", "missing", "policy", "grounds")),
    RefundApproved: (
        "approved_at",
        ("case_id", "refund_id", "amount", "policy", "grounds", "pay_by", "charge_id", "code", "remaining_payment"),
    ),
    RefundDenied: ("denied_at", ("case_id", "policy", "grounds")),
    CancellationAccepted: ("accepted_at", ("case_id", "policy", "grounds")),
    RevocationRequested: ("requested_at", ("case_id", "policy", "grounds")),
    AppealReceived: ("received_at", ("case_id", "answer_by")),
    ClaimReceived: ("received_at", ("claim_id", "answer_by")),
    ClaimAnswered: ("answered_at", ("claim_id", "answer_by")),
    SupportAnswered: ("answered_at", ("case_id", "claim_id")),
    PaymentsBuyerErased: ("erased_at", _ERASED),
    ProvisioningBuyerErased: ("erased_at", _ERASED),
    NotificationsBuyerErased: ("erased_at", _ERASED),
    RefundsBuyerErased: ("erased_at", _ERASED),
}


def happened_at(event: Event) -> datetime:
    """When it happened, as its service says."""
    moment: datetime = getattr(event, SHOWN_FIELDS[type(event)][0])
    return moment


def summary(event: Event) -> dict[str, Any]:
    """The fields that may be shown, as JSON; empty ones are left out."""
    fields = {name: _plain(getattr(event, name)) for name in SHOWN_FIELDS[type(event)][1]}
    return {name: value for name, value in fields.items() if value not in (None, [])}


def clauses(grounds: tuple[Ground, ...]) -> str:
    """The clauses of a decision: `RF 2.1, RF 5.2`."""
    return ", ".join(f"{ground.document} {ground.clause}" for ground in grounds)


#: How values of events are shown. A sealed code is not named here, so it cannot be shown.
_SHOWN: Mapping[type[BaseModel], Callable[[Any], Any]] = {
    Money: lambda money: {"amount": money.amount, "currency": money.currency},
    Plan: lambda plan: plan.id,
    Ground: lambda ground: f"{ground.document} {ground.clause}",
    OperatorStatus: lambda status: f"{status.subject_code}/{status.reason_code}",
    InstallStatus: lambda install: install.state,
    Usage: lambda usage: usage.used_bytes,
}


def _plain(value: Any) -> Any:
    """As JSON. Raises KeyError for a value that may not be shown."""
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, BaseModel):
        return _SHOWN[type(value)](value)
    return value.isoformat() if isinstance(value, date) else str(value)[:_LONGEST]
