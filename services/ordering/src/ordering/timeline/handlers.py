"""Kafka in: orders that shops submit, and what the other services say about orders."""

import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from pydantic_core import from_json

from ordering.catalogue import CatalogueFiles
from ordering.contact.store import mailbox_proved
from ordering.holds.rules import Limits
from ordering.intake.actions import Submission, accept
from ordering.intake.esims import esim_expired, esim_observed, esim_revoked, esim_sold, of_esims, profile_observed
from ordering.intake.rules.validation import Refusal
from ordering.intake.store import record
from ordering.privacy.actions import erased_by
from ordering.timeline.rules.sentences import Known
from ordering.timeline.rules.status import Fact
from shared.contracts import (
    AppealReceived,
    CancellationAccepted,
    DeliveryFailed,
    DuplicateCharged,
    Event,
    FieldError,
    Ground,
    InformationNeeded,
    MailboxProved,
    Money,
    NotificationsBuyerErased,
    OrderPaid,
    OrderRejected,
    OrderSubmitted,
    PaymentFailed,
    PaymentLapsed,
    PaymentsBuyerErased,
    ProfileExpired,
    ProfileFailed,
    ProfileGenerated,
    ProfileObserved,
    ProfileRevoked,
    ProvisioningBuyerErased,
    QrDelivered,
    ReceiptIssued,
    RefundApproved,
    RefundDenied,
    RefundFailed,
    RefundPaidByHand,
    RefundRequested,
    RefundRetried,
    RefundsBuyerErased,
    RefundSettled,
    RevocationRefused,
    TopUpApplied,
)
from shared.database import Tx, storable
from shared.messaging.consumer import Handler, Received, RefusedRecord
from shared.values import traceparent

_LONGEST_SUBMISSION, _LONGEST_SLUG = 100, 40
_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
#: Reasons of dead letters, as the shop is told them.
_REFUSALS = {"shared_topic_closed": "shared-topic-closed", "handler_failed": "could-not-be-handled"}

#: fact, when it became true, what tells several of a kind apart, details for the timeline (no personal data).
Told = tuple[Fact, Any, str, dict[str, Any]]


def order_submitted(catalogue: CatalogueFiles, keep_sessions: timedelta, limits: Limits) -> Handler:
    """Accept submitted orders as `POST /orders` does; refusals are answered with `ordering.order-rejected`."""

    async def handle(tx: Tx, batch: Sequence[Received[OrderSubmitted]]) -> None:
        submissions = [
            Submission(one.event.storefront, one.event.submission_id, one.event.order, one.trace) for one in batch
        ]
        outcomes = await accept(tx, catalogue.current(), submissions, keep_sessions=keep_sessions, limits=limits)
        for received, outcome in zip(batch, outcomes, strict=True):
            if isinstance(outcome, Refusal):
                tx.publish(_rejected(received.event, outcome, tx), trace=received.trace)

    return handle


def tell_shops(tx: Tx, batch: Sequence[RefusedRecord]) -> None:
    """Reject what is no order, where the record says which submission it is."""
    for refused in batch:
        body = _body(refused.value)
        shop, submission = refused.shop or body.get("storefront"), body.get("submission_id")
        if not isinstance(submission, str) or not 0 < len(submission) <= _LONGEST_SUBMISSION:
            continue
        if isinstance(shop, str) and len(shop) <= _LONGEST_SLUG and _SLUG.fullmatch(shop):
            reason = _REFUSALS.get(refused.reason, "unreadable-record")
            tx.publish(
                OrderRejected(
                    storefront=shop,
                    submission_id=_shown(submission),
                    reason=reason,
                    errors=(FieldError(field="record", message=storable(refused.detail)[:500]),),
                    rejected_at=tx.now,
                ),
                trace=traceparent.parse(refused.trace),
            )


def _body(value: bytes | None) -> dict[str, Any]:
    try:
        found = from_json(value or b"")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _shown(submission_id: str) -> str:
    # The id may be the very thing that is wrong with it; control characters would not survive on the way out.
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in submission_id)


def _rejected(event: OrderSubmitted, refusal: Refusal, tx: Tx) -> OrderRejected:
    return OrderRejected(
        storefront=event.storefront,
        submission_id=_shown(event.submission_id),
        reason=refusal.reason,
        errors=refusal.errors,
        rejected_at=tx.now,
    )


def _order_paid(event: OrderPaid) -> Told:
    return Fact.ORDER_PAID, event.paid_at, "", {}


def _payment_failed(event: PaymentFailed) -> Told:
    return Fact.PAYMENT_FAILED, event.failed_at, event.invoice_id, {"reason_code": event.reason_code}


def _payment_lapsed(event: PaymentLapsed) -> Told:
    return Fact.PAYMENT_LAPSED, event.lapsed_at, "", {}


def _duplicate_charged(event: DuplicateCharged) -> Told:
    return Fact.DUPLICATE_CHARGED, event.captured_at, str(event.charge_id), _money(event.amount)


def _receipt_issued(event: ReceiptIssued) -> Told:
    return Fact.RECEIPT_ISSUED, event.issued_at, str(event.receipt_id), {"kind": event.kind, "link": event.ticket_url}


def _profile_generated(event: ProfileGenerated) -> Told:
    return Fact.PROFILE_GENERATED, event.generated_at, "", {}


def _profile_failed(event: ProfileFailed) -> Told:
    fact = Fact.TOP_UP_FAILED if event.kind == "top_up" else Fact.PROFILE_FAILED
    return fact, event.failed_at, "", {}


def _profile_revoked(event: ProfileRevoked) -> Told:
    return Fact.PROFILE_REVOKED, event.revoked_at, "", {}


def _revocation_refused(event: RevocationRefused) -> Told:
    return Fact.REVOCATION_REFUSED, event.refused_at, str(event.case_id or ""), {}


def _profile_expired(event: ProfileExpired) -> Told:
    return Fact.PROFILE_EXPIRED, event.expired_at, "", {"reason": event.reason}


def _top_up_applied(event: TopUpApplied) -> Told:
    total = {} if event.total_bytes is None else {"total_bytes": event.total_bytes}
    return Fact.TOP_UP_APPLIED, event.applied_at, "", total


def _qr_delivered(event: QrDelivered) -> Told:
    return Fact.QR_DELIVERED, event.delivered_at, event.channel, {"channel": event.channel}


def _delivery_failed(event: DeliveryFailed) -> Told:
    # A corrected address may be refused as well: each refusal is a fact of its own.
    return Fact.DELIVERY_FAILED, event.failed_at, event.failed_at.isoformat(), {"smtp_code": event.smtp_code}


def _refund_requested(event: RefundRequested) -> Told:
    fact = Fact.SURPLUS_REQUESTED if event.reason == "double_charge" else Fact.REFUND_REQUESTED
    return fact, event.requested_at, str(event.case_id), {}


def _information_needed(event: InformationNeeded) -> Told:
    ref = f"{event.case_id}/{event.asked_at.isoformat()}"
    return Fact.INFORMATION_NEEDED, event.asked_at, ref, {"missing": list(event.missing)}


def _cancellation_accepted(event: CancellationAccepted) -> Told:
    clauses = _clauses(event.grounds)
    return Fact.CANCELLATION_ACCEPTED, event.accepted_at, str(event.case_id), {"clauses": clauses}


def _refund_denied(event: RefundDenied) -> Told:
    ref = f"{event.case_id}/{event.denied_at.isoformat()}"
    return Fact.REFUND_DENIED, event.denied_at, ref, {"clauses": _clauses(event.grounds)}


def _appeal_received(event: AppealReceived) -> Told:
    return Fact.APPEAL_RECEIVED, event.received_at, f"{event.case_id}/{event.received_at.isoformat()}", {}


def _clauses(grounds: Sequence[Ground]) -> list[str]:
    return [f"{ground.document} {ground.clause}" for ground in grounds]


def _refund_approved(event: RefundApproved) -> Told:
    clauses = _clauses(event.grounds)
    fact = Fact.REFUND_APPROVED if event.charge_id is None else Fact.SURPLUS_APPROVED
    return fact, event.approved_at, str(event.refund_id), {**_money(event.amount), "clauses": clauses}


def _refund_settled(event: RefundSettled) -> Told:
    credited = {"credited_by": event.credited_by.isoformat()} if event.credited_by else {}
    way = {} if event.way is None else {"way": event.way}
    fact = Fact.REFUND_SETTLED if event.charge_id is None else Fact.SURPLUS_SETTLED
    return fact, event.settled_at, str(event.refund_id), {**_money(event.amount), **credited, **way}


def _refund_failed(event: RefundFailed) -> Told:
    fact = Fact.REFUND_FAILED if event.charge_id is None else Fact.SURPLUS_FAILED
    return fact, event.failed_at, _attempt(event.refund_id, event.attempt or 1), _money(event.left or event.amount)


def _refund_retried(event: RefundRetried) -> Told:
    fact = Fact.REFUND_RETRIED if event.charge_id is None else Fact.SURPLUS_RETRIED
    return fact, event.retried_at, _attempt(event.refund_id, event.attempt), _money(event.amount)


def _refund_paid_by_hand(event: RefundPaidByHand) -> Told:
    fact = Fact.REFUND_PAID_BY_HAND if event.charge_id is None else Fact.SURPLUS_PAID_BY_HAND
    return fact, event.paid_at, str(event.payment_id), {**_money(event.amount), "way": event.way}


def _attempt(refund_id: UUID, number: int) -> str:
    """The first attempt has the ref that it had when there was only one."""
    return str(refund_id) if number == 1 else f"{refund_id}/{number}"


def _money(money: Money) -> dict[str, Any]:
    return {"amount": money.amount, "currency": money.currency}


def _keeping(tell: Callable[[Any], Told]) -> Handler:
    """A handler that keeps the facts of a batch with one statement."""

    async def handle(tx: Tx, batch: Sequence[Received[Any]]) -> None:
        facts: list[tuple[UUID, Known]] = []
        for received in batch:
            fact, at, ref, detail = tell(received.event)
            facts.append((received.event.order_id, Known(fact, at, ref, detail, received.trace)))
        await record(tx, facts)

    return handle


FACTS: dict[type[Event], Handler] = {
    OrderPaid: _keeping(_order_paid),
    PaymentFailed: _keeping(_payment_failed),
    PaymentLapsed: _keeping(_payment_lapsed),
    DuplicateCharged: _keeping(_duplicate_charged),
    ReceiptIssued: _keeping(_receipt_issued),
    ProfileGenerated: of_esims(_keeping(_profile_generated), esim_sold),
    ProfileFailed: _keeping(_profile_failed),
    ProfileObserved: of_esims(profile_observed, esim_observed),
    ProfileRevoked: of_esims(_keeping(_profile_revoked), esim_revoked),
    RevocationRefused: _keeping(_revocation_refused),
    ProfileExpired: of_esims(_keeping(_profile_expired), esim_expired),
    TopUpApplied: _keeping(_top_up_applied),
    QrDelivered: _keeping(_qr_delivered),
    DeliveryFailed: _keeping(_delivery_failed),
    RefundRequested: _keeping(_refund_requested),
    InformationNeeded: _keeping(_information_needed),
    CancellationAccepted: _keeping(_cancellation_accepted),
    RefundDenied: _keeping(_refund_denied),
    AppealReceived: _keeping(_appeal_received),
    RefundApproved: _keeping(_refund_approved),
    RefundSettled: _keeping(_refund_settled),
    RefundFailed: _keeping(_refund_failed),
    MailboxProved: mailbox_proved,
    RefundRetried: _keeping(_refund_retried),
    RefundPaidByHand: _keeping(_refund_paid_by_hand),
    PaymentsBuyerErased: erased_by("payments"),
    ProvisioningBuyerErased: erased_by("provisioning"),
    NotificationsBuyerErased: erased_by("notifications"),
    RefundsBuyerErased: erased_by("refunds"),
}
