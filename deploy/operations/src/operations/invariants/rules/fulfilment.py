"""Invariants of an order's fulfilment: paid, generated, delivered."""

from datetime import timedelta

from operations.invariants.rules.base import OrderInvariant

_NOT_REFUNDED = (
    "NOT EXISTS (SELECT 1 FROM refunds r WHERE r.order_id = o.order_id AND r.charge_id IS NULL"
    " AND r.settled_at IS NOT NULL)"
)


class PaidWithoutOutcome(OrderInvariant):
    """Every paid order has a profile, or a failure, or its money back.

    Ten minutes after the payment neither a profile nor a top-up nor a failure is known, and the money was not refunded.
    Either the operator has not answered, or provisioning does not work, or it has not read the payment. The buyer has
    paid and has nothing: check provisioning's tasks and its operators.
    """

    name = "paid_without_outcome"
    after = timedelta(minutes=10)
    where = (
        "o.paid_at IS NOT NULL AND o.generated_at IS NULL AND o.profile_failed_at IS NULL"
        " AND o.top_up_applied_at IS NULL AND o.revoked_at IS NULL"
        f" AND o.paid_at <= :late AND o.paid_known_at <= :as_of AND {_NOT_REFUNDED}"
    )
    since = "o.paid_at"
    detail = "jsonb_build_object('paid_minor', o.paid_minor, 'currency', o.currency)"


class DeliveredWithoutPayment(OrderInvariant):
    """No code is delivered that was not paid for.

    The code of an order was delivered, and no payment is known although every earlier fact has been read. Somebody got
    an eSIM for nothing, or the payment's fact was lost.
    """

    name = "delivered_without_payment"
    where = (
        "o.delivered_at IS NOT NULL AND o.paid_at IS NULL AND o.placed_at IS NOT NULL"
        " AND o.delivered_known_at <= :as_of"
    )
    since = "o.delivered_at"


class ProfileWithoutPayment(OrderInvariant):
    """No profile is generated that was not paid for.

    Provisioning generated a profile, and no payment of the order is known although every earlier fact has been read.
    Profiles cost money: find out why provisioning ordered it.
    """

    name = "profile_without_payment"
    where = (
        "o.generated_at IS NOT NULL AND o.paid_at IS NULL AND o.placed_at IS NOT NULL"
        " AND o.generated_known_at <= :as_of"
    )
    since = "o.generated_at"


class TwoProfiles(OrderInvariant):
    """One order has one profile.

    Two ICCIDs were generated for the same order, so we pay for an unused one, or two people use the order: a request to
    an operator was repeated without reading the outcome of the first.
    """

    name = "two_profiles"
    where = "o.iccid_least <> o.iccid_greatest"
    since = "o.generated_at"
    detail = "jsonb_build_object('iccids', jsonb_build_array(o.iccid_least, o.iccid_greatest))"


class CodeNotDelivered(OrderInvariant):
    """Every profile's code is delivered, or its delivery has failed.

    Ten minutes after a profile was generated its code was neither delivered nor refused by the mailbox. Orders whose
    buyer was erased or blocked, whose profile was revoked, or whose money was refunded do not count. Check the e-mails
    that wait in notifications.
    """

    name = "code_not_delivered"
    after = timedelta(minutes=10)
    source = "orders o LEFT JOIN buyers b USING (buyer_id)"
    where = (
        "o.generated_at IS NOT NULL AND o.delivered_at IS NULL AND o.delivery_failed_at IS NULL"
        " AND o.revoked_at IS NULL AND b.erased_at IS NULL AND b.blocked IS NOT TRUE"
        f" AND o.generated_at <= :late AND o.generated_known_at <= :as_of AND {_NOT_REFUNDED}"
    )
    since = "o.generated_at"


FULFILMENT = (
    PaidWithoutOutcome(),
    DeliveredWithoutPayment(),
    ProfileWithoutPayment(),
    TwoProfiles(),
    CodeNotDelivered(),
)
