"""The tables of the page: people, their sessions, and what they did."""

from sqlalchemy import Column, Index, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from operations.tables import metadata
from shared.core_tables import timestamp
from shared.signin.tables import sign_in_tables

sign_in_tables(metadata)

#: Who did what, to what, and why. Written before it is done; `outcome` is filled in after it, once, and nothing else
#: can be changed, nor anything deleted for 30 days. No outcome: it was begun, and nobody knows how it ended. No
#: personal data: a name that nobody has is there as a fingerprint.
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
