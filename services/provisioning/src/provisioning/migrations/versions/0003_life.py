"""Profiles' lives: what was observed, who asked, revocations, top-ups. Profiles made so far begin theirs here."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from shared.spine import timestamp

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

#: RC 7: 180 days before the first activation. They are looked at within the hour, not all at once.
_BEGIN = """
INSERT INTO lives (order_id, generated_at, valid_until, look_at)
SELECT order_id, settled_at, paid_at + interval '180 days', now() + random() * interval '1 hour'
FROM profiles WHERE state = 'generated'
"""


def upgrade() -> None:
    op.create_table(
        "lives",
        sa.Column("order_id", sa.Uuid, primary_key=True),
        timestamp("generated_at"),
        timestamp("valid_until"),
        sa.Column("known", JSONB, nullable=False, server_default="{}"),
        sa.Column("extra_days", sa.Integer, nullable=False, server_default="0"),
        sa.Column("extra_bytes", sa.BigInteger, nullable=False, server_default="0"),
        timestamp("asked_at"),
        timestamp("disputed_at"),
        timestamp("looked_at"),
        timestamp("look_at"),
        timestamp("revoked_at"),
        sa.Column("revoked_for", sa.Text),
        timestamp("expired_at"),
        sa.Column("expired_for", sa.Text),
        timestamp("devices_erased_at"),
        sa.Column("trace", sa.Text),
    )
    op.create_index("lives_due", "lives", ["look_at"], postgresql_where=sa.text("look_at IS NOT NULL"))
    op.create_table(
        "observations",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("order_id", sa.Uuid),
        sa.Column("iccid", sa.Text, nullable=False),
        sa.Column("operator", sa.Text, nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        timestamp("at", nullable=False),
        timestamp("received_at", nullable=False),
        sa.Column("report", JSONB, nullable=False),
        sa.Column("detail", JSONB, nullable=False, server_default="{}"),
    )
    op.create_index("observations_order", "observations", ["order_id", "received_at"])
    op.create_index("observations_unknown", "observations", ["iccid"], postgresql_where=sa.text("order_id IS NULL"))
    op.create_table(
        "inquiries",
        sa.Column("case_id", sa.Uuid, primary_key=True),
        sa.Column("order_id", sa.Uuid, nullable=False),
        timestamp("asked_at", nullable=False),
        timestamp("begun_at"),
        timestamp("unreached_at"),
        timestamp("answered_at"),
        sa.Column("trace", sa.Text),
    )
    op.create_index("inquiries_order", "inquiries", ["order_id"])
    op.create_table(
        "revocations",
        sa.Column("case_id", sa.Uuid, primary_key=True),
        sa.Column("order_id", sa.Uuid, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        timestamp("asked_at", nullable=False),
        timestamp("begun_at"),
        timestamp("settled_at"),
        sa.Column("outcome", sa.Text),
        sa.Column("detail", sa.Text),
        sa.Column("trace", sa.Text),
    )
    op.create_index("revocations_order", "revocations", ["order_id"])
    op.create_table(
        "top_ups",
        sa.Column("order_id", sa.Uuid, primary_key=True),
        sa.Column("order_number", sa.Text, nullable=False),
        sa.Column("storefront", sa.Text, nullable=False),
        sa.Column("buyer_id", sa.Uuid, nullable=False),
        sa.Column("plan", JSONB, nullable=False),
        sa.Column("iccid", sa.Text),
        sa.Column("esim_order_id", sa.Uuid),
        sa.Column("operator", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False, server_default="due"),
        sa.Column("statuses", JSONB, nullable=False, server_default="[]"),
        sa.Column("reason", sa.Text),
        sa.Column("total_bytes", sa.BigInteger),
        timestamp("plan_ends_at"),
        timestamp("paid_at", nullable=False),
        timestamp("deadline", nullable=False),
        timestamp("created_at", nullable=False),
        timestamp("settled_at"),
    )
    op.create_index("top_ups_esim", "top_ups", ["esim_order_id"])
    op.execute(_BEGIN)
