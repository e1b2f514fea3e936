"""Invariants of an order's way: paid, made, delivered."""

from datetime import timedelta

from operations.invariants.rules.base import OrderInvariant

_NOT_REFUNDED = (
    "NOT EXISTS (SELECT 1 FROM refunds r WHERE r.order_id = o.order_id AND r.charge_id IS NULL"
    " AND r.settled_at IS NOT NULL)"
)


class PaidWithoutOutcome(OrderInvariant):
    """Every paid order has a profile, or a failure, or its money back.

    Ten minutes after the payment neither a profile nor a top-up nor a failure is known, and the money has not gone
    back. Either the operator keeps us waiting, or provisioning does not work, or it never heard of the payment. The
    buyer has paid and has nothing: look at provisioning's due work and its operators.
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

    The code of an order reached its buyer, and no payment is known although everything that was told before has been
    read. Somebody got an eSIM for nothing, or the fact of the payment was lost: money and books disagree.
    """

    name = "delivered_without_payment"
    where = (
        "o.delivered_at IS NOT NULL AND o.paid_at IS NULL AND o.placed_at IS NOT NULL"
        " AND o.delivered_known_at <= :as_of"
    )
    since = "o.delivered_at"


class ProfileWithoutPayment(OrderInvariant):
    """No profile is made that was not paid for.

    Provisioning made a profile, and no payment of the order is known although everything that was told before has been
    read. Profiles cost money: find out what made provisioning act.
    """

    name = "profile_without_payment"
    where = (
        "o.generated_at IS NOT NULL AND o.paid_at IS NULL AND o.placed_at IS NOT NULL"
        " AND o.generated_known_at <= :as_of"
    )
    since = "o.generated_at"


class TwoProfiles(OrderInvariant):
    """One order has one profile.

    Two ICCIDs were generated for the same order. One of them was paid for and is used by nobody, or worse, by two: an
    order to an operator was repeated without asking what became of the first.
    """

    name = "two_profiles"
    where = "o.iccid_least <> o.iccid_greatest"
    since = "o.generated_at"
    detail = "jsonb_build_object('iccids', jsonb_build_array(o.iccid_least, o.iccid_greatest))"


class CodeNotDelivered(OrderInvariant):
    """Every profile's code reaches its buyer, or is known not to.

    Ten minutes after a profile was made its code has neither been delivered nor refused by the mailbox. Orders whose
    buyer was erased or blocked, whose profile was revoked, or whose money went back are left out. Look at the mails
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
