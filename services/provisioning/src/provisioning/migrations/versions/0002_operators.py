"""Several operators: what was tried where, profiles in stock, a shared rate of calls."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from shared.spine import timestamp

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "profile_orders",
        sa.Column("order_id", sa.Uuid, primary_key=True),
        sa.Column("operator", sa.Text, primary_key=True),
        sa.Column("profile_type", sa.Text, nullable=False),
        sa.Column("iccid", sa.Text),
        sa.Column("matching_id", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("statuses", JSONB, nullable=False, server_default="[]"),
        sa.Column("reason", sa.Text),
        timestamp("left_at", nullable=False),
        timestamp("withdrawn_at"),
    )
    op.create_table(
        "stock_profiles",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("operator", sa.Text, nullable=False),
        sa.Column("profile_type", sa.Text, nullable=False),
        sa.Column("iccid", sa.Text),
        sa.Column("matching_id", sa.Text),
        sa.Column("smdp_address", sa.Text),
        sa.Column("confirmation_code", sa.Text),
        sa.Column("apn", sa.Text),
        sa.Column("state", sa.Text, nullable=False, server_default="ordered"),
        sa.Column("order_id", sa.Uuid),
        sa.Column("reason", sa.Text),
        timestamp("created_at", nullable=False),
        timestamp("made_at"),
        timestamp("usable_until"),
        timestamp("assigned_at"),
        timestamp("failed_at"),
        timestamp("withdrawn_at"),
    )
    op.create_index("stock_profiles_order", "stock_profiles", ["order_id"], unique=True)
    op.create_index(
        "stock_profiles_ready",
        "stock_profiles",
        ["operator", "profile_type", "made_at"],
        postgresql_where=sa.text("state = 'ready'"),
    )
    op.create_table(
        "operator_rates",
        sa.Column("operator", sa.Text, primary_key=True),
        timestamp("next_at", nullable=False),
    )
