"""Which rows each fact fills: (table, columns) of the read model. `now`: when the fact is applied here."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Table

from operations.facts.rules import clauses
from operations.tables import cases, charges, erasures, esims, orders, refunds, storefronts
from shared.contracts import (
    AppealReceived,
    BuyerErased,
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
    HandPaymentDecided,
    HandPaymentRecorded,
    InformationNeeded,
    MailboxProved,
    NotificationsBuyerErased,
    OrderEvent,
    OrderHeld,
    OrderPaid,
    OrderPlaced,
    OrderRefused,
    OrderRejected,
    OrderReleased,
    PaymentFailed,
    PaymentLapsed,
    PaymentsBuyerErased,
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
    WebhookEndpointDisabled,
    order_fields,
)

Row = tuple[Table, Mapping[str, Any]]
RowsOf = Callable[[Any, datetime], Sequence[Row]]


def _order(event: OrderEvent, now: datetime, **columns: Any) -> Row:
    return orders, {
        **order_fields(event),
        "known_at": now,
        **columns,
    }


def _placed(e: OrderPlaced, now: datetime) -> Sequence[Row]:
    order = _order(
        e,
        now,
        kind=e.kind,
        plan=e.plan.id,
        price_minor=e.price.amount,
        currency=e.price.currency,
        placed_at=e.placed_at,
        placed_known_at=now,
    )
    return [order, *_topped_up(e)]


def _paid(e: OrderPaid, now: datetime) -> Sequence[Row]:
    order = _order(
        e,
        now,
        kind=e.kind,
        plan=e.plan.id,
        currency=e.paid.currency,
        paid_minor=e.paid.amount,
        paid_at=e.paid_at,
        paid_known_at=now,
    )
    return [order, *_topped_up(e)]


def _topped_up(e: OrderPlaced | OrderPaid | TopUpApplied) -> Sequence[Row]:
    if e.iccid is None:
        return ()
    return [_esim(e, e.iccid)]


def _esim(e: OrderEvent, iccid: str, operator: str | None = None, at: datetime | None = None) -> Row:
    return esims, {"order_id": e.order_id, "iccid": iccid, "operator": operator, "generated_at": at}


def _generated(e: ProfileGenerated, now: datetime) -> Sequence[Row]:
    order = _order(
        e,
        now,
        generated_at=e.generated_at,
        generated_known_at=now,
        iccid_least=e.iccid,
        iccid_greatest=e.iccid,
    )
    return [order, _esim(e, e.iccid, e.operator, e.generated_at)]


def _applied(e: TopUpApplied, now: datetime) -> Sequence[Row]:
    return [_order(e, now, top_up_applied_at=e.applied_at), *_topped_up(e)]


def _receipt(e: ReceiptIssued, now: datetime) -> Sequence[Row]:
    since = (storefronts, {"storefront": e.storefront, "receipts_since": e.issued_at})
    return [_order(e, now, receipt_at=e.issued_at if e.kind == "sale" else None), since]


def _charged_twice(e: DuplicateCharged, now: datetime) -> Sequence[Row]:
    charge = {
        "charge_id": e.charge_id,
        "order_id": e.order_id,
        "amount_minor": e.amount.amount,
        "currency": e.amount.currency,
        "captured_at": e.captured_at,
        "captured_known_at": now,
    }
    return [_order(e, now), (charges, charge)]


def _requested(e: RefundRequested, now: datetime) -> Sequence[Row]:
    return [
        _order(e, now, refund_requested_at=e.requested_at),
        _case(
            e,
            reason=e.reason,
            requested_at=e.requested_at,
            requested_again_at=e.requested_at,
            requested_known_at=now,
        ),
    ]


def _case(e: Any, **columns: Any) -> Row:
    return cases, {"case_id": e.case_id, "order_id": e.order_id, **columns}


def _refund(e: Any, **columns: Any) -> Row:
    common = {"refund_id": e.refund_id, "order_id": e.order_id, "charge_id": e.charge_id, "currency": e.amount.currency}
    return refunds, {**common, **columns}


def _approved(e: RefundApproved, now: datetime) -> Sequence[Row]:
    return [
        _order(e, now, refund_approved_at=None if e.is_part else e.approved_at),
        _case(e, approved_at=e.approved_at),
        _refund(
            e,
            case_id=e.case_id,
            policy=e.policy,
            clauses=clauses(e.grounds),
            code=e.code,
            approved_minor=e.amount.amount,
            approved_at=e.approved_at,
            approved_known_at=now,
            pay_by=e.pay_by,
            credited_by=e.credited_by,
        ),
    ]


def _settled(e: RefundSettled, now: datetime) -> Sequence[Row]:
    return [
        _order(e, now, refund_settled_at=None if e.is_part else e.settled_at),
        _refund(e, settled_minor=e.amount.amount, settled_at=e.settled_at, settled_known_at=now),
    ]


def _refund_failed(e: RefundFailed, now: datetime) -> Sequence[Row]:
    return [_order(e, now, refund_failed_at=e.failed_at), _refund(e, failed_at=e.failed_at)]


def _refund_retried(e: RefundRetried, now: datetime) -> Sequence[Row]:
    return [_order(e, now, refund_retried_at=e.retried_at), _refund(e, retried_at=e.retried_at)]


def _paid_by_hand(e: RefundPaidByHand, now: datetime) -> Sequence[Row]:
    return [_order(e, now), _refund(e, left_minor=e.left.amount)]


def _erasure(e: BuyerErasureRequested, now: datetime) -> Sequence[Row]:
    row = {
        "request_id": e.request_id,
        "buyer_id": e.buyer_id,
        "requested_at": e.requested_at,
        "requested_known_at": now,
    }
    return [(erasures, row)]


def _erased_by(column: str) -> RowsOf:
    def rows(e: BuyerErased, _now: datetime) -> Sequence[Row]:
        if e.request_id is None:
            return ()
        return [(erasures, {"request_id": e.request_id, "buyer_id": e.buyer_id, column: e.erased_at})]

    return rows


def _column(name: str, field: str) -> RowsOf:
    """A fact that fills one column of its order."""
    return lambda e, now: [_order(e, now, **{name: getattr(e, field)})]


def timeline_only(e: OrderEvent, now: datetime) -> Sequence[Row]:
    """A fact that the timeline shows and that no status, page or invariant reads."""
    return [_order(e, now)]


#: Every fact that the timeline shows, with the rows it fills.
ROWS: Mapping[type[Event], RowsOf] = {
    OrderPlaced: _placed,
    OrderRejected: lambda _e, _now: (),
    OrderHeld: _column("held_at", "held_at"),
    OrderReleased: _column("released_at", "released_at"),
    OrderRefused: _column("refused_at", "refused_at"),
    ConfirmationRequested: timeline_only,
    BuyerErasureRequested: _erasure,
    DeadlineNear: timeline_only,
    WebhookEndpointDisabled: lambda _e, _now: (),
    OrderPaid: _paid,
    PaymentFailed: _column("payment_failed_at", "failed_at"),
    PaymentLapsed: _column("payment_lapsed_at", "lapsed_at"),
    DuplicateCharged: _charged_twice,
    ReceiptIssued: _receipt,
    RefundSettled: _settled,
    RefundFailed: _refund_failed,
    RefundRetried: _refund_retried,
    RefundPaidByHand: _paid_by_hand,
    RefundActionAnswered: timeline_only,
    RefundRetryRequested: timeline_only,
    HandPaymentRecorded: timeline_only,
    HandPaymentDecided: timeline_only,
    ProfileGenerated: _generated,
    ProfileFailed: lambda e, now: [
        _order(e, now, kind=e.kind, profile_failed_at=e.failed_at, profile_failed_known_at=now)
    ],
    ProfileObserved: _column("activated_at", "activated_at"),
    ProfileRevoked: _column("revoked_at", "revoked_at"),
    RevocationRefused: _column("revocation_refused_at", "refused_at"),
    ProfileExpired: _column("expired_at", "expired_at"),
    ProfileExpiring: timeline_only,
    DataLow: timeline_only,
    TopUpApplied: _applied,
    QrDelivered: lambda e, now: [_order(e, now, delivered_at=e.delivered_at, delivered_known_at=now)],
    DeliveryFailed: _column("delivery_failed_at", "failed_at"),
    MailboxProved: timeline_only,
    RefundRequested: _requested,
    RequestRegistered: timeline_only,
    InformationNeeded: lambda e, now: [_order(e, now), _case(e, information_asked_at=e.asked_at)],
    RefundApproved: _approved,
    RefundDenied: lambda e, now: [_order(e, now, refund_denied_at=e.denied_at), _case(e, denied_at=e.denied_at)],
    CancellationAccepted: lambda e, now: [_order(e, now), _case(e, cancellation_accepted_at=e.accepted_at)],
    RevocationRequested: lambda e, now: [_order(e, now), _case(e, revocation_requested_at=e.requested_at)],
    AppealReceived: lambda e, now: [
        _order(e, now),
        _case(e, appealed_at=e.received_at, appeal_answer_by=e.answer_by),
    ],
    ClaimReceived: timeline_only,
    ClaimAnswered: timeline_only,
    SupportAnswered: timeline_only,
    PaymentsBuyerErased: _erased_by("payments_at"),
    ProvisioningBuyerErased: _erased_by("provisioning_at"),
    NotificationsBuyerErased: _erased_by("notifications_at"),
    RefundsBuyerErased: _erased_by("refunds_at"),
}
