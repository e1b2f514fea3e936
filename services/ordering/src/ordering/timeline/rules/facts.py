"""Which fact an event states about its order."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from ordering.timeline.models import Fact, FactDetail, RecordedFact
from shared.contracts import (
    AppealReceived,
    CancellationAccepted,
    DataLow,
    DeliveryFailed,
    DuplicateCharged,
    Ground,
    InformationNeeded,
    Money,
    OrderEvent,
    OrderPaid,
    PaymentFailed,
    PaymentLapsed,
    ProfileExpired,
    ProfileExpiring,
    ProfileFailed,
    ProfileGenerated,
    ProfileObserved,
    ProfileRevoked,
    QrDelivered,
    ReceiptIssued,
    RefundApproved,
    RefundDenied,
    RefundFailed,
    RefundPaidByHand,
    RefundRequested,
    RefundRetried,
    RefundSettled,
    RevocationRefused,
    TopUpApplied,
)


def observed_facts(event: ProfileObserved) -> list[RecordedFact]:
    """Installed, activated, first used, deleted: each with the earliest time that was reported so far."""
    moments = (
        (Fact.PROFILE_INSTALLED, event.installed_at),
        (Fact.PROFILE_ACTIVATED, event.activated_at),
        (Fact.PROFILE_FIRST_USED, event.first_used_at),
        (Fact.PROFILE_DELETED, event.deleted_at),
    )
    return [RecordedFact(fact, at) for fact, at in moments if at is not None]


def _order_paid(event: OrderPaid) -> RecordedFact:
    return RecordedFact(Fact.ORDER_PAID, event.paid_at)


def _payment_failed(event: PaymentFailed) -> RecordedFact:
    return RecordedFact(Fact.PAYMENT_FAILED, event.failed_at, event.invoice_id, {"reason_code": event.reason_code})


def _payment_lapsed(event: PaymentLapsed) -> RecordedFact:
    return RecordedFact(Fact.PAYMENT_LAPSED, event.lapsed_at)


def _duplicate_charged(event: DuplicateCharged) -> RecordedFact:
    return RecordedFact(Fact.DUPLICATE_CHARGED, event.captured_at, str(event.charge_id), _money(event.amount))


def _receipt_issued(event: ReceiptIssued) -> RecordedFact:
    return RecordedFact(
        Fact.RECEIPT_ISSUED, event.issued_at, str(event.receipt_id), {"kind": event.kind, "link": event.ticket_url}
    )


def _profile_generated(event: ProfileGenerated) -> RecordedFact:
    return RecordedFact(Fact.PROFILE_GENERATED, event.generated_at)


def _profile_failed(event: ProfileFailed) -> RecordedFact:
    fact = Fact.TOP_UP_FAILED if event.kind == "top_up" else Fact.PROFILE_FAILED
    return RecordedFact(fact, event.failed_at)


def _profile_revoked(event: ProfileRevoked) -> RecordedFact:
    return RecordedFact(Fact.PROFILE_REVOKED, event.revoked_at)


def _revocation_refused(event: RevocationRefused) -> RecordedFact:
    return RecordedFact(Fact.REVOCATION_REFUSED, event.refused_at, str(event.case_id or ""))


def _profile_expired(event: ProfileExpired) -> RecordedFact:
    return RecordedFact(Fact.PROFILE_EXPIRED, event.expired_at, "", {"reason": event.reason})


def _profile_expiring(event: ProfileExpiring) -> RecordedFact:
    # A top-up moves the end: each end that is announced is a fact of its own.
    ref = f"{event.reason}/{event.ends_on.isoformat()}"
    detail: FactDetail = {
        "reason": event.reason,
        "ends_at": event.ends_at.isoformat(),
        "ends_on": event.ends_on.isoformat(),
    }
    return RecordedFact(Fact.PROFILE_EXPIRING, event.announced_at, ref, detail)


def _data_low(event: DataLow) -> RecordedFact:
    # A top-up raises the total: then the same share of it is a fact of its own.
    detail: FactDetail = {
        "percent": event.threshold_percent,
        "used_bytes": event.used_bytes,
        "total_bytes": event.total_bytes,
    }
    return RecordedFact(Fact.DATA_LOW, event.observed_at, f"{event.threshold_percent}/{event.total_bytes}", detail)


def _top_up_applied(event: TopUpApplied) -> RecordedFact:
    total: FactDetail = {} if event.total_bytes is None else {"total_bytes": event.total_bytes}
    return RecordedFact(Fact.TOP_UP_APPLIED, event.applied_at, "", total)


def _qr_delivered(event: QrDelivered) -> RecordedFact:
    return RecordedFact(Fact.QR_DELIVERED, event.delivered_at, event.channel, {"channel": event.channel})


def _delivery_failed(event: DeliveryFailed) -> RecordedFact:
    # A corrected address may be rejected as well: each rejection is a fact of its own.
    return RecordedFact(
        Fact.DELIVERY_FAILED, event.failed_at, event.failed_at.isoformat(), {"smtp_code": event.smtp_code}
    )


def _refund_requested(event: RefundRequested) -> RecordedFact:
    fact = Fact.SURPLUS_REQUESTED if event.reason == "double_charge" else Fact.REFUND_REQUESTED
    return RecordedFact(fact, event.requested_at, str(event.case_id), {"reason": event.reason})


def _information_needed(event: InformationNeeded) -> RecordedFact:
    ref = f"{event.case_id}/{event.asked_at.isoformat()}"
    return RecordedFact(Fact.INFORMATION_NEEDED, event.asked_at, ref, {"missing": list(event.missing)})


def _cancellation_accepted(event: CancellationAccepted) -> RecordedFact:
    clauses = _clauses(event.grounds)
    return RecordedFact(Fact.CANCELLATION_ACCEPTED, event.accepted_at, str(event.case_id), {"clauses": clauses})


def _refund_denied(event: RefundDenied) -> RecordedFact:
    ref = f"{event.case_id}/{event.denied_at.isoformat()}"
    return RecordedFact(Fact.REFUND_DENIED, event.denied_at, ref, {"clauses": _clauses(event.grounds)})


def _appeal_received(event: AppealReceived) -> RecordedFact:
    return RecordedFact(Fact.APPEAL_RECEIVED, event.received_at, f"{event.case_id}/{event.received_at.isoformat()}")


def _clauses(grounds: Sequence[Ground]) -> list[str]:
    return [f"{ground.document} {ground.clause}" for ground in grounds]


def _refund_approved(event: RefundApproved) -> RecordedFact:
    clauses = _clauses(event.grounds)
    detail: FactDetail = {**_money(event.amount), "clauses": clauses, "case_id": str(event.case_id)}
    if event.is_part:
        # The case stands in the ref too: the status has to know which request this answers.
        ref = f"{event.refund_id}/{event.case_id}"
        return RecordedFact(Fact.REFUND_PART_APPROVED, event.approved_at, ref, detail)
    fact = Fact.REFUND_APPROVED if event.charge_id is None else Fact.SURPLUS_APPROVED
    return RecordedFact(fact, event.approved_at, str(event.refund_id), detail)


def _refund_settled(event: RefundSettled) -> RecordedFact:
    credited: FactDetail = {"credited_by": event.credited_by.isoformat()} if event.credited_by else {}
    way: FactDetail = {} if event.way is None else {"way": event.way}
    fact = Fact.REFUND_SETTLED if event.charge_id is None else Fact.SURPLUS_SETTLED
    fact = Fact.REFUND_PART_SETTLED if event.is_part else fact
    return RecordedFact(fact, event.settled_at, str(event.refund_id), {**_money(event.amount), **credited, **way})


def _refund_failed(event: RefundFailed) -> RecordedFact:
    fact = Fact.REFUND_FAILED if event.charge_id is None else Fact.SURPLUS_FAILED
    return RecordedFact(
        fact, event.failed_at, _attempt(event.refund_id, event.attempt or 1), _money(event.left or event.amount)
    )


def _refund_retried(event: RefundRetried) -> RecordedFact:
    fact = Fact.REFUND_RETRIED if event.charge_id is None else Fact.SURPLUS_RETRIED
    return RecordedFact(fact, event.retried_at, _attempt(event.refund_id, event.attempt), _money(event.amount))


def _refund_paid_by_hand(event: RefundPaidByHand) -> RecordedFact:
    fact = Fact.REFUND_PAID_BY_HAND if event.charge_id is None else Fact.SURPLUS_PAID_BY_HAND
    return RecordedFact(fact, event.paid_at, str(event.payment_id), {**_money(event.amount), "way": event.way})


def _attempt(refund_id: UUID, number: int) -> str:
    """The ref of an attempt. The first one has no number, as in releases that knew a single attempt."""
    return str(refund_id) if number == 1 else f"{refund_id}/{number}"


def _money(money: Money) -> FactDetail:
    return {"amount": money.amount, "currency": money.currency}


#: The fact of each event that states exactly one. The function's argument is an event of the key's class.
FACT_OF: Mapping[type[OrderEvent], Callable[[Any], RecordedFact]] = {
    OrderPaid: _order_paid,
    PaymentFailed: _payment_failed,
    PaymentLapsed: _payment_lapsed,
    DuplicateCharged: _duplicate_charged,
    ReceiptIssued: _receipt_issued,
    ProfileGenerated: _profile_generated,
    ProfileFailed: _profile_failed,
    ProfileRevoked: _profile_revoked,
    RevocationRefused: _revocation_refused,
    ProfileExpired: _profile_expired,
    ProfileExpiring: _profile_expiring,
    DataLow: _data_low,
    TopUpApplied: _top_up_applied,
    QrDelivered: _qr_delivered,
    DeliveryFailed: _delivery_failed,
    RefundRequested: _refund_requested,
    InformationNeeded: _information_needed,
    CancellationAccepted: _cancellation_accepted,
    RefundDenied: _refund_denied,
    AppealReceived: _appeal_received,
    RefundApproved: _refund_approved,
    RefundSettled: _refund_settled,
    RefundFailed: _refund_failed,
    RefundRetried: _refund_retried,
    RefundPaidByHand: _refund_paid_by_hand,
}
