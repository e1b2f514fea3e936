"""Notifications' own tables."""

from sqlalchemy import Column, Index, Integer, MetaData, Table, Text, Uuid, text
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

#: One row per mail that a buyer is to get. kind: qr | refund; `subject_id` is the order or the refund.
#: state: waiting (for the contact) | due | sent | refused (by the mailbox) | dropped (the buyer was erased).
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
    Index("mails_waiting", "buyer_id", postgresql_where=text("state = 'waiting'")),
)
