"""Provisioning's own tables."""

from sqlalchemy import Boolean, Column, Index, Integer, MetaData, Sequence, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from shared.core_tables import timestamp

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

#: Operators that were tried for an order and left again; the one in hand, or that made it, is in `profiles`.
#: state: waiting (surely nothing was made) | refused | abandoned (perhaps something was made: being withdrawn).
profile_orders = Table(
    "profile_orders",
    metadata,
    Column("order_id", Uuid, primary_key=True),
    Column("operator", Text, primary_key=True),
    Column("profile_type", Text, nullable=False),
    Column("iccid", Text),
    Column("matching_id", Text),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("statuses", JSONB, nullable=False, server_default="[]"),
    Column("reason", Text),
    timestamp("left_at", nullable=False),
    timestamp("withdrawn_at"),
)

#: Profiles made before anybody bought them. state: ordered | ready | assigned | failed | spoiled (too old).
stock_profiles = Table(
    "stock_profiles",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("operator", Text, nullable=False),
    Column("profile_type", Text, nullable=False),
    Column("iccid", Text),
    Column("matching_id", Text),
    Column("smdp_address", Text),
    Column("confirmation_code", Text),
    Column("oid", Text),
    Column("asks_confirmation_code", Boolean, nullable=False, server_default="false"),
    Column("apn", Text),
    Column("state", Text, nullable=False, server_default="ordered"),
    Column("order_id", Uuid),
    Column("reason", Text),
    timestamp("created_at", nullable=False),
    timestamp("made_at"),
    timestamp("usable_until"),
    timestamp("assigned_at"),
    timestamp("failed_at"),
    timestamp("withdrawn_at"),
    Index("stock_profiles_order", "order_id", unique=True),
    Index("stock_profiles_ready", "operator", "profile_type", "made_at", postgresql_where=text("state = 'ready'")),
)

#: The moment from which an operator may be called again at its agreed rate (a generic cell rate, all instances).
operator_rates = Table(
    "operator_rates", metadata, Column("operator", Text, primary_key=True), timestamp("next_at", nullable=False)
)
