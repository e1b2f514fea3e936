"""Notifications' own tables."""

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from shared.spine import timestamp

metadata = MetaData()

#: Where buyers are reached; the newest `updated_at` wins. A row without an address is a place that is kept: for a
#: contact that a mail already waits for, or (erased_at) for a buyer who was forgotten and stays so.
contacts = Table(
    "contacts",
    metadata,
    Column("buyer_id", Uuid, primary_key=True),
    Column("name", Text),
    Column("email", Text),
    Column("language", Text),
    timestamp("updated_at"),
    timestamp("erased_at"),
)

#: One row per mail that a buyer is to get: its kind, and the fact it is about (an order, a refund, a receipt, ...).
#: state: waiting (for the contact) | due | sent | refused (by the mailbox) | bounced (accepted, then returned) |
#: merged (another mail said it too) | dropped (pointless by then, or the buyer was erased).
mails = Table(
    "mails",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("subject_id", Uuid, primary_key=True),
    Column("order_id", Uuid, nullable=False),
    Column("buyer_id", Uuid, nullable=False),
    Column("facts", JSONB, nullable=False),
    Column("state", Text, nullable=False),
    Column("trace", Text),
    Column("smtp_code", Integer),
    Column("enhanced_code", Text),
    timestamp("created_at", nullable=False),
    timestamp("settled_at"),
    Column("soft_bounces", Integer, nullable=False, server_default="0"),
    timestamp("bounced_at"),
    Index("mails_waiting", "buyer_id", postgresql_where=text("state = 'waiting'")),
    Index("mails_order", "order_id"),
)

#: What is known of an order, each column set by its own fact; ids and figures only. `paid` and `receipt` are the facts
#: as they came. answered_at: a mail was made that says that the order is there (a receipt known by then is in it).
#: delivered_at, channel: the first delivery of the code (PO 3.4); shown_at: first shown on the account page.
orders = Table(
    "orders",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("order_number", Text, nullable=False),
    Column("storefront", Text, nullable=False),
    Column("buyer_id", Uuid, nullable=False),
    Column("trace", Text),
    Column("paid", JSONB),
    timestamp("paid_at"),
    Column("receipt", JSONB),
    timestamp("answered_at"),
    timestamp("generated_at"),
    timestamp("valid_until"),
    timestamp("failed_at"),
    timestamp("topped_up_at"),
    timestamp("refunded_at"),
    timestamp("revoked_at"),
    timestamp("expired_at"),
    timestamp("installed_at"),
    timestamp("activated_at"),
    timestamp("plan_ends_at"),
    Column("used_bytes", BigInteger),
    Column("total_bytes", BigInteger),
    timestamp("usage_at"),
    Column("channel", Text),
    timestamp("delivered_at"),
    timestamp("shown_at"),
    Column("resends", Integer, nullable=False, server_default="0"),
    timestamp("resent_at"),
    Index("orders_paid", "paid_at"),
    Index("orders_valid", "valid_until", postgresql_using="brin"),
)
