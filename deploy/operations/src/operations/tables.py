"""The tables of operations: the read model of orders, violations, polled answers, the audit log. Amounts: minor units.

Every column of the read model says how it is merged when a fact, or another of its kind, is applied again: `first`
known value (there is one such fact), `least` or `greatest` of all. So any sequence and repetition of facts gives the
same rows. `..._known_at` is when the fact was applied here: an invariant must not judge what was not known yet.
"""

from typing import Any, Literal

from sqlalchemy import BigInteger, Boolean, Column, Date, Index, Integer, LargeBinary, MetaData, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from shared.core_tables import timestamp
from shared.signin.tables import sign_in_tables

Merge = Literal["first", "least", "greatest"]
metadata = MetaData()
sign_in_tables(metadata)


def merged(name: str, how: Merge = "least") -> Column[object]:
    """A time: the least (or greatest) of all that were published."""
    return timestamp(name, info={"merge": how})


def _partial(condition: str) -> dict[str, Any]:
    return {"postgresql_where": text(condition)}


_NO_OUTCOME = "paid_at IS NOT NULL AND generated_at IS NULL AND profile_failed_at IS NULL AND top_up_applied_at IS NULL"

#: One row per order. Facts that an order may have several of stand in tables of their own.
orders = Table(
    "orders",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("order_number", Text, nullable=False),
    Column("storefront", Text, nullable=False),
    Column("buyer_id", Uuid, nullable=False),
    merged("known_at"),
    Column("kind", Text),
    Column("plan", Text),
    Column("price_minor", BigInteger),
    Column("currency", Text),
    merged("placed_at"),
    merged("placed_known_at"),
    merged("held_at"),
    merged("released_at"),
    merged("refused_at"),
    merged("payment_failed_at", "greatest"),
    merged("payment_lapsed_at"),
    Column("paid_minor", BigInteger),
    merged("paid_at"),
    merged("paid_known_at"),
    merged("receipt_at"),
    merged("generated_at"),
    merged("generated_known_at"),
    # The first and the last ICCID in the alphabet: two profiles for one order are seen by their being different.
    Column("iccid_least", Text, info={"merge": "least"}),
    Column("iccid_greatest", Text, info={"merge": "greatest"}),
    merged("profile_failed_at"),
    merged("profile_failed_known_at"),
    merged("top_up_applied_at"),
    merged("delivered_at"),
    merged("delivered_known_at"),
    merged("delivery_failed_at", "greatest"),
    merged("activated_at"),
    merged("revoked_at"),
    merged("revocation_refused_at"),
    merged("expired_at"),
    merged("refund_requested_at"),
    merged("refund_approved_at"),
    merged("refund_denied_at", "greatest"),
    merged("refund_settled_at", "greatest"),
    merged("refund_failed_at", "greatest"),
    merged("refund_retried_at", "greatest"),
    Index("orders_number", "order_number"),
    Index("orders_known", "known_at", postgresql_using="brin"),
    Index("orders_buyer", "buyer_id"),
    # Nearly empty (except the refunded ones): they hold the rows that may violate an invariant.
    Index("orders_without_outcome", "paid_at", **_partial(_NO_OUTCOME)),
    Index("orders_delivered_unpaid", "order_id", **_partial("delivered_at IS NOT NULL AND paid_at IS NULL")),
    Index("orders_generated_unpaid", "order_id", **_partial("generated_at IS NOT NULL AND paid_at IS NULL")),
    Index(
        "orders_failed_without_case",
        "order_id",
        **_partial("profile_failed_at IS NOT NULL AND refund_requested_at IS NULL"),
    ),
    Index(
        "orders_undelivered",
        "generated_at",
        **_partial("generated_at IS NOT NULL AND delivered_at IS NULL AND delivery_failed_at IS NULL"),
    ),
    Index("orders_without_receipt", "storefront", "paid_at", **_partial("paid_at IS NOT NULL AND receipt_at IS NULL")),
    Index("orders_two_profiles", "order_id", **_partial("iccid_least <> iccid_greatest")),
    Index("orders_refunded", "order_id", **_partial("refund_settled_at IS NOT NULL")),
    Index("orders_price_differs", "order_id", **_partial("paid_minor <> price_minor")),
    # Several facts rewrite the row: room on its own page keeps the indexes out of it.
    postgresql_with={"fillfactor": "60"},
)

#: eSIMs that orders are about: made for them (`generated_at`), or topped up by them.
esims = Table(
    "esims",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("iccid", Text, primary_key=True),
    Column("operator", Text),
    merged("generated_at"),
    Index("esims_iccid", "iccid"),
)

#: Refund cases. A case may be asked for information, denied and appealed more than once: the last time counts.
cases = Table(
    "cases",
    metadata,
    Column("case_id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("reason", Text),
    merged("requested_at"),
    merged("requested_again_at", "greatest"),
    merged("requested_known_at"),
    merged("information_asked_at", "greatest"),
    merged("cancellation_accepted_at"),
    merged("revocation_requested_at"),
    merged("approved_at"),
    merged("denied_at", "greatest"),
    merged("appealed_at", "greatest"),
    merged("appeal_answer_by", "greatest"),
    Index("cases_order", "order_id"),
    Index("cases_open", "requested_at", **_partial("approved_at IS NULL")),
)

#: Money that goes back: approved by refunds, settled or failed by payments.
refunds = Table(
    "refunds",
    metadata,
    Column("refund_id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("case_id", Uuid),
    Column("charge_id", Uuid),
    Column("policy", Text),
    Column("clauses", Text),
    # What became of the code that was paid for: none, revoked, kept; null where it was not reported.
    Column("code", Text),
    Column("approved_minor", BigInteger),
    Column("currency", Text),
    merged("approved_at"),
    merged("approved_known_at"),
    merged("pay_by"),
    Column("credited_by", Date),
    Column("settled_minor", BigInteger),
    merged("settled_at"),
    merged("settled_known_at"),
    merged("failed_at", "greatest"),
    merged("retried_at", "greatest"),
    # What is still owed after payments by hand.
    Column("left_minor", BigInteger, info={"merge": "least"}),
    Index("refunds_order", "order_id"),
    Index("refunds_unsettled", "pay_by", **_partial("approved_at IS NOT NULL AND settled_at IS NULL")),
)

#: Surplus captures: the bank took money for an order that was paid already.
charges = Table(
    "charges",
    metadata,
    Column("charge_id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("amount_minor", BigInteger),
    Column("currency", Text),
    merged("captured_at"),
    merged("captured_known_at"),
    Index("charges_order", "order_id"),
)

#: Since when a storefront issues fiscal receipts, which its first receipt shows.
storefronts = Table("storefronts", metadata, Column("storefront", Text, primary_key=True), merged("receipts_since"))

#: Erasure requests, and which services have confirmed them. Ordering erases before it requests.
erasures = Table(
    "erasures",
    metadata,
    Column("request_id", Uuid, primary_key=True),
    Column("buyer_id", Uuid, nullable=False),
    merged("requested_at"),
    merged("requested_known_at"),
    merged("payments_at"),
    merged("provisioning_at"),
    merged("notifications_at"),
    merged("refunds_at"),
)

#: A keyed hash of the e-mail address, to find orders by it; nothing else of a buyer is stored. After an erasure the id
#: stays, so that a late contact cannot restore the hash.
buyers = Table(
    "buyers",
    metadata,
    Column("buyer_id", Uuid, primary_key=True),
    Column("email_hash", LargeBinary),
    Column("blocked", Boolean),
    timestamp("updated_at"),
    timestamp("erased_at"),
    Index("buyers_email", "email_hash"),
)

#: Every fact, for the timeline. `subject` is its Kafka key: the order's id, a buyer's, a submission's. `at`: when it
#: happened; `told_at`: when its owner published it. `summary` holds what is safe to show.
facts = Table(
    "facts",
    metadata,
    Column("event_id", Uuid, primary_key=True),
    Column("order_id", Uuid),
    Column("subject", Text),
    Column("topic", Text, nullable=False),
    timestamp("at", nullable=False),
    timestamp("told_at", nullable=False),
    timestamp("known_at", nullable=False),
    Column("trace", Text),
    Column("summary", JSONB, nullable=False),
    Index("facts_order", "order_id"),
    Index("facts_known", "known_at", postgresql_using="brin"),
    # Only facts from the future: their service has a wrong clock.
    Index("facts_ahead", "known_at", **_partial("GREATEST(at, told_at) - known_at > interval '10 seconds'")),
)

#: Violations of invariants, each with its beginning and end. `order_id` is null where it concerns a service or a buyer.
violations = Table(
    "violations",
    metadata,
    Column("violation_id", Uuid, primary_key=True),
    Column("invariant", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("order_id", Uuid),
    Column("order_number", Text),
    timestamp("since"),
    Column("detail", JSONB, nullable=False),
    timestamp("first_seen_at", nullable=False),
    timestamp("last_seen_at", nullable=False),
    timestamp("resolved_at"),
    Index("violations_open", "invariant", "subject", unique=True, **_partial("resolved_at IS NULL")),
    Index("violations_order", "order_id"),
)

#: The last evaluation of each invariant. `as_of`: every fact published until then had been applied.
evaluations = Table(
    "evaluations",
    metadata,
    Column("invariant", Text, primary_key=True),
    timestamp("evaluated_at", nullable=False),
    timestamp("as_of"),
    Column("violations", Integer, nullable=False),
    Column("milliseconds", Integer, nullable=False),
)

#: When an instance last did a periodic job for all instances.
turns = Table("turns", metadata, Column("name", Text, primary_key=True), timestamp("taken_at", nullable=False))

#: The last answer of each service, or why there is none (`problem`). `summary`: its last operations summary.
answers = Table(
    "answers",
    metadata,
    Column("service", Text, primary_key=True),
    timestamp("asked_at", nullable=False),
    timestamp("not_ready_since"),
    Column("ready", Boolean, nullable=False),
    Column("checks", JSONB, nullable=False),
    Column("summary", JSONB),
    timestamp("summary_at"),
    Column("operators", JSONB),
    Column("problem", Text),
)

#: Who did what, to what, and why. A row is written before the action; `outcome` is filled in once after it. A trigger
#: refuses every other change, and deletion within 30 days. Without an outcome the action was begun and its end is
#: unknown. No personal data: a name without an account is stored as a fingerprint.
audit = Table(
    "audit",
    metadata,
    Column("entry_id", Uuid, primary_key=True),
    timestamp("at", nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("outcome", JSONB),
    Index("audit_at", "at"),
)
