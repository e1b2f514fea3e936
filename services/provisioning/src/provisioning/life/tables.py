"""Tables of profiles' lives; they stand beside `profiles`, which has ICCID, operator and plan."""

from sqlalchemy import BigInteger, Column, Index, Integer, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from provisioning.tables import metadata
from shared.core_tables import timestamp

#: One row per order whose profile was made, or about whose profile somebody asked before it was made (then
#: `generated_at` is null). `known` is `domain.life.Known`. `look_at`: when it is due again; null: never.
lives = Table(
    "lives",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    timestamp("generated_at"),
    timestamp("valid_until"),
    Column("known", JSONB, nullable=False, server_default="{}"),
    Column("extra_days", Integer, nullable=False, server_default="0"),
    Column("extra_bytes", BigInteger, nullable=False, server_default="0"),
    timestamp("asked_at"),
    timestamp("disputed_at"),
    timestamp("looked_at"),
    timestamp("look_at"),
    timestamp("revoked_at"),
    Column("revoked_for", Text),
    timestamp("expired_at"),
    Column("expired_for", Text),
    timestamp("devices_erased_at"),
    Column("trace", Text),
    Index("lives_due", "look_at", postgresql_where=text("look_at IS NOT NULL")),
)

#: What was said of profiles, and what became of it; rows are only added. `order_id` null: no profile of that operator.
observations = Table(
    "observations",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("order_id", Uuid),
    Column("iccid", Text, nullable=False),
    Column("operator", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    timestamp("at", nullable=False),
    timestamp("received_at", nullable=False),
    Column("report", JSONB, nullable=False),
    Column("detail", JSONB, nullable=False, server_default="{}"),
    Index("observations_order", "order_id", "received_at"),
    Index("observations_unknown", "iccid", postgresql_where=text("order_id IS NULL")),
)

#: Refund cases that asked about a profile. Each is answered at most twice: not reached, and reached.
inquiries = Table(
    "inquiries",
    metadata,
    Column("case_id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    timestamp("asked_at", nullable=False),
    timestamp("begun_at"),
    timestamp("unreached_at"),
    timestamp("answered_at"),
    Column("trace", Text),
    Index("inquiries_order", "order_id"),
)

#: Cases for which a profile is to be taken out of use. outcome: revoked | refused.
revocations = Table(
    "revocations",
    metadata,
    Column("case_id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("reason", Text, nullable=False),
    timestamp("asked_at", nullable=False),
    timestamp("begun_at"),
    timestamp("settled_at"),
    Column("outcome", Text),
    Column("detail", Text),
    Column("trace", Text),
    Index("revocations_order", "order_id"),
)

#: Paid top-ups; the order's number is the key that the operator gets. state: due | applied | failed.
top_ups = Table(
    "top_ups",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("order_number", Text, nullable=False),
    Column("storefront", Text, nullable=False),
    Column("buyer_id", Uuid, nullable=False),
    Column("plan", JSONB, nullable=False),
    Column("iccid", Text),
    Column("esim_order_id", Uuid),
    Column("operator", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="due"),
    Column("statuses", JSONB, nullable=False, server_default="[]"),
    Column("reason", Text),
    Column("total_bytes", BigInteger),
    timestamp("plan_ends_at"),
    timestamp("paid_at", nullable=False),
    timestamp("deadline", nullable=False),
    timestamp("created_at", nullable=False),
    timestamp("settled_at"),
    Index("top_ups_esim", "esim_order_id"),
)
