"""Tables of provisioning, beside the core tables of `shared`."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, Sequence, Table, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

from shared.core_tables import timestamp

metadata = MetaData()

#: Serial numbers within the allotted ICCID range; none is used twice.
iccid_serial = Sequence("iccid_serial", metadata=metadata, minvalue=0, start=1)

#: One row per paid order of an eSIM. state: ordered | generated | failed.
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

#: Operators that were tried for an order before; the one that is tried now, or made the profile, is in `profiles`.
#: state: waiting (certainly nothing was made) | refused | abandoned (something may have been made: being withdrawn).
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

#: Profiles that are generated before they are sold. state: ordered | ready | assigned | failed | spoiled (too old).
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

#: When an operator may be called again at its agreed rate (a generic cell rate, for all instances).
operator_rates = Table(
    "operator_rates", metadata, Column("operator", Text, primary_key=True), timestamp("next_at", nullable=False)
)

#: One row per order or top-up at a reseller, written before the call. `reference` is in the order's description.
#: `asked_at` null: the last call certainly did nothing. `refund_asked_at`: a refund was requested.
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

#: Webhooks about asynchronous orders of ours; the first one of a request counts. `code` null: carried out. Codes of
#: eSIMs are not kept.
airalo_notices = Table(
    "airalo_notices",
    metadata,
    Column("operator", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("reference", Text),
    Column("code", Integer),
    timestamp("received_at", nullable=False),
    Index("airalo_notices_reference", "operator", "reference", postgresql_where=text("reference IS NOT NULL")),
    Index("airalo_notices_unnamed", "operator", "received_at", postgresql_where=text("reference IS NULL")),
)

#: When the usage that the reseller shows now was first queried: it shows the same usage for 20 minutes.
airalo_usage = Table(
    "airalo_usage",
    metadata,
    Column("operator", Text, primary_key=True),
    Column("iccid", Text, primary_key=True),
    timestamp("asked_at", nullable=False),
)

#: One row per order whose profile was generated, or about which a case came before that (then `generated_at` is null).
#: `known` is `lifecycle.models.knowledge.Known`. `look_at`: when the profile is due again; null: never.
#: `thresholds`: which thresholds of used data were published (`lifecycle.models.notices.PublishedThreshold`).
#: `announced_end`, `announced_for`: the last end that was announced. `extended_at`: the last top-up. `refunded_at`: a
#: refund was approved; from then on nothing of this is published.
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
    Column("thresholds", JSONB, nullable=False, server_default="[]"),
    timestamp("announced_end"),
    Column("announced_for", Text),
    timestamp("extended_at"),
    timestamp("refunded_at"),
    Index("lives_due", "look_at", postgresql_where=text("look_at IS NOT NULL")),
)

#: Reports about profiles, with their verdicts; rows are only added. `order_id` null: no profile of that operator.
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
    Index("observations_of_no_profile", "operator", "received_at", postgresql_where=text("order_id IS NULL")),
)

#: Refund cases that request the state of a profile. Each is answered at most twice: not reached, and reached.
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

#: Cases that revoke a profile. outcome: revoked | refused.
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

#: Paid top-ups; the order's number is their key at the operator. state: due | applied | failed.
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
