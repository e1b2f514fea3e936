"""Provisioning's own tables."""

from sqlalchemy import Column, Index, Integer, MetaData, Sequence, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from shared.spine import timestamp

metadata = MetaData()

#: Serial numbers within the allotted ICCID range; never given twice.
iccid_serial = Sequence("iccid_serial", metadata=metadata, minvalue=0, start=1)

#: One row per paid order. state: ordered | generated | failed. A top-up has no profile of its own (iccid is null).
profiles = Table(
    "profiles",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("order_number", Text, nullable=False),
    Column("storefront", Text, nullable=False),
    Column("buyer_id", Uuid, nullable=False),
    Column("plan", JSONB, nullable=False),
    Column("profile_type", Text, nullable=False),
    Column("operator", Text, nullable=False),
    Column("iccid", Text),
    Column("matching_id", Text),
    Column("smdp_address", Text),
    Column("state", Text, nullable=False, server_default="ordered"),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("statuses", JSONB, nullable=False, server_default="[]"),
    Column("reason", Text),
    timestamp("paid_at", nullable=False),
    timestamp("deadline", nullable=False),
    timestamp("created_at", nullable=False),
    timestamp("settled_at"),
    timestamp("withdrawn_at"),
    Index("profiles_iccid", "iccid", unique=True),
)
