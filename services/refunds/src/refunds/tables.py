"""The tables of refunds. Amounts are minor units (tiyn, cents)."""

from sqlalchemy import BigInteger, Column, Date, Index, MetaData, Table, Text, UniqueConstraint, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from shared.spine import timestamp

metadata = MetaData()

#: What is known of an order. Each fact fills its own columns, the first time it is told; null: not (yet) told.
#: `case_opened_at` is the claim of whoever opens the case of a failed generation.
order_facts = Table(
    "order_facts",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("order_number", Text, nullable=False),
    Column("storefront", Text, nullable=False),
    Column("buyer_id", Uuid, nullable=False),
    timestamp("paid_at"),
    Column("paid_minor", BigInteger),
    Column("currency", Text),
    timestamp("generated_at"),
    timestamp("failed_at"),
    Column("failure", Text),
    Column("failure_statuses", JSONB),
    timestamp("delivered_at"),
    Column("delivery_channel", Text),
    timestamp("delivery_failed_at"),
    Column("delivery_failure", Text),
    timestamp("settled_at"),
    timestamp("refund_failed_at"),
    timestamp("case_opened_at"),
    # Nearly empty: it holds failed orders that have no case yet.
    Index(
        "order_facts_awaiting_case",
        "order_id",
        postgresql_where=text("failed_at IS NOT NULL AND case_opened_at IS NULL"),
    ),
)

#: One case per order and ground. Without `verdict` it waits for a person to decide.
cases = Table(
    "cases",
    metadata,
    Column("case_id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("ground", Text, nullable=False),
    Column("origin", Text, nullable=False),
    timestamp("requested_at", nullable=False),
    Column("verdict", Text),
    timestamp("decided_at"),
    Column("refund_id", Uuid),
    Column("amount_minor", BigInteger),
    Column("currency", Text),
    Column("policy", Text),
    Column("grounds", JSONB),
    Column("explanation", JSONB),
    timestamp("pay_by"),
    Column("credited_by", Date),
    UniqueConstraint("order_id", "ground", name="cases_order_ground"),
    UniqueConstraint("refund_id", name="cases_refund"),
)

#: What payments said about each refund; kept apart from the case, so that neither has to come first.
refund_outcomes = Table(
    "refund_outcomes",
    metadata,
    Column("refund_id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    timestamp("settled_at"),
    timestamp("failed_at"),
    Column("failure", Text),
)
