"""What must be remembered of calls to a reseller that knows no idempotency key."""

from sqlalchemy import Column, Integer, Table, Text

from provisioning.tables import metadata
from shared.core_tables import timestamp

#: One row per order or top-up that was asked for, written before the call. `reference` is what stands in its
#: description. `asked_at` null: the last call surely did nothing. `refund_asked_at`: a refund was asked for.
airalo_requests = Table(
    "airalo_requests",
    metadata,
    Column("operator", Text, primary_key=True),
    Column("reference", Text, primary_key=True),
    timestamp("asked_at"),
    Column("request_id", Text),
    timestamp("refund_asked_at"),
    Column("refund_id", Text),
)

#: Webhooks about asynchronous orders; the first one counts. `code` null: carried out. Codes of eSIMs are not kept.
airalo_notices = Table(
    "airalo_notices",
    metadata,
    Column("operator", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("reference", Text),
    Column("code", Integer),
    timestamp("received_at", nullable=False),
)

#: When the usage that the reseller shows now was first asked for: it shows the same for 20 minutes.
airalo_usage = Table(
    "airalo_usage",
    metadata,
    Column("operator", Text, primary_key=True),
    Column("iccid", Text, primary_key=True),
    timestamp("asked_at", nullable=False),
)
