"""Invariants of money: payments, refunds, fiscal receipts."""

from datetime import timedelta

from operations.invariants.rules.base import OrderInvariant

_OF_REFUND = "jsonb_build_object('approved_minor', r.approved_minor, 'currency', r.currency, 'pay_by', r.pay_by)"


class FailedWithoutCase(OrderInvariant):
    """Every failed profile opens a refund case.

    The profile of a paid order has failed, and ten minutes later no case is open: we keep the buyer's money without a
    reason. Check the consumer of refunds and its dead letters.
    """

    name = "failed_without_case"
    after = timedelta(minutes=10)
    where = (
        "o.profile_failed_at IS NOT NULL AND o.refund_requested_at IS NULL AND o.paid_at IS NOT NULL"
        " AND GREATEST(o.profile_failed_at, o.paid_at) <= :late"
        " AND GREATEST(o.profile_failed_known_at, o.paid_known_at) <= :as_of"
    )
    since = "o.profile_failed_at"


class SurplusWithoutCase(OrderInvariant):
    """Every second capture opens a refund case.

    The bank took money for an order that was paid already (RF 2.4), and ten minutes later no case is open for the
    order. The buyer has paid twice and gets nothing back.
    """

    name = "surplus_without_case"
    after = timedelta(minutes=10)
    source = "charges c JOIN orders o USING (order_id)"
    subject = "c.charge_id"
    where = (
        "o.refund_requested_at IS NULL AND o.paid_at IS NOT NULL"
        " AND c.captured_at <= :late AND c.captured_known_at <= :as_of AND o.paid_known_at <= :as_of"
    )
    since = "c.captured_at"
    detail = "jsonb_build_object('amount_minor', c.amount_minor, 'currency', c.currency)"


class RefundLate(OrderInvariant):
    """Every approved refund is settled by the day that was promised.

    Refunds approved it and named the day by which payments hands the money to the bank (in business days of the
    seller, RF 5.2; 14 days where none was named). That day is over and the bank has not accepted the refund.
    """

    name = "refund_late"
    after = timedelta(0)
    source = "refunds r JOIN orders o USING (order_id)"
    subject = "r.refund_id"
    where = (
        "r.approved_at IS NOT NULL AND r.settled_at IS NULL AND r.approved_known_at <= :as_of"
        " AND COALESCE(r.pay_by, r.approved_at + interval '14 days') <= :late"
    )
    since = "COALESCE(r.pay_by, r.approved_at + interval '14 days')"
    detail = _OF_REFUND


class RefundedBeyondPaid(OrderInvariant):
    """No order gets more back than was paid for it (PO 6.3).

    The settled refunds of an order are more than its payment, those of surplus captures more than the captures, or in
    another currency. Payments' database refuses that, so either a published fact is wrong or money was lost.
    """

    name = "refunded_beyond_paid"
    source = """orders o CROSS JOIN LATERAL (
      SELECT min(r.settled_at) AS settled_at, sum(r.settled_minor) AS settled_minor,
        COALESCE(sum(r.settled_minor) FILTER (WHERE r.charge_id IS NULL), 0) AS own_minor,
        count(DISTINCT r.currency) AS currencies, min(r.currency) AS currency
      FROM refunds r WHERE r.order_id = o.order_id AND r.settled_known_at <= :as_of
    ) r"""
    where = (
        "o.refund_settled_at IS NOT NULL AND o.placed_at IS NOT NULL"
        " AND (r.currencies > 1 OR r.currency <> o.currency OR r.own_minor > COALESCE(o.paid_minor, 0)"
        " OR r.settled_minor > COALESCE(o.paid_minor, 0)"
        " + COALESCE((SELECT sum(c.amount_minor) FROM charges c WHERE c.order_id = o.order_id), 0))"
    )
    since = "r.settled_at"
    detail = "jsonb_build_object('settled_minor', r.settled_minor, 'paid_minor', o.paid_minor, 'currency', r.currency)"


class RefundedWhileUsable(OrderInvariant):
    """No money is returned while the code it paid for still works (I13).

    The price of an eSIM was refunded, and ten minutes later its profile is neither revoked at the operator nor expired:
    the buyer has both. Where a person or the law released the money although the profile could not be revoked, it
    counts as broken once the profile is activated after that. Refunds wait for the revocation, so this is a fault of
    ours, or a refund by an older release.
    """

    name = "refunded_while_usable"
    after = timedelta(minutes=10)
    source = "refunds r JOIN orders o USING (order_id)"
    subject = "r.refund_id"
    where = (
        "r.settled_at IS NOT NULL AND r.charge_id IS NULL AND o.generated_at IS NOT NULL"
        " AND o.revoked_at IS NULL AND o.profile_failed_at IS NULL AND o.expired_at IS NULL"
        " AND r.settled_at <= :late AND r.settled_known_at <= :as_of"
        " AND (r.code IS DISTINCT FROM 'kept' OR o.activated_at > r.settled_at)"
    )
    since = "r.settled_at"
    detail = "jsonb_build_object('case_id', r.case_id, 'clauses', r.clauses, 'code', r.code)"


class PriceDiffers(OrderInvariant):
    """What is paid is the price that was agreed (PO 3.3).

    The captured amount is not the order's price. Payments compares the bank's answer with the requested amount; this
    compares it with the price that ordering has promised the buyer.
    """

    name = "price_differs"
    where = "o.paid_minor <> o.price_minor"
    since = "o.paid_at"
    detail = "jsonb_build_object('price_minor', o.price_minor, 'paid_minor', o.paid_minor, 'currency', o.currency)"


class ReceiptMissing(OrderInvariant):
    """Every sale of a shop with a cash register has its fiscal receipt (PO 4.3).

    An hour after the payment no receipt was issued, although the shop has issued one before, which is how shops with a
    register are recognised here. Check the receipts that wait in payments.
    """

    name = "receipt_missing"
    severity = "ticket"
    after = timedelta(hours=1)
    source = "orders o JOIN storefronts s USING (storefront)"
    where = (
        "o.paid_at IS NOT NULL AND o.receipt_at IS NULL AND o.paid_minor > 0 AND o.paid_at >= s.receipts_since"
        " AND o.paid_at <= :late AND o.paid_known_at <= :as_of"
    )
    since = "o.paid_at"


MONEY = (
    FailedWithoutCase(),
    SurplusWithoutCase(),
    RefundLate(),
    RefundedBeyondPaid(),
    RefundedWhileUsable(),
    PriceDiffers(),
    ReceiptMissing(),
)
