"""The spine's tables and `profiles`."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from shared.spine import timestamp, upgrade_v1

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    upgrade_v1(op)
    op.execute(sa.schema.CreateSequence(sa.Sequence("iccid_serial", minvalue=0, start=1)))
    op.create_table(
        "profiles",
        sa.Column("order_id", sa.Uuid, primary_key=True),
        sa.Column("order_number", sa.Text, nullable=False),
        sa.Column("storefront", sa.Text, nullable=False),
        sa.Column("buyer_id", sa.Uuid, nullable=False),
        sa.Column("plan", JSONB, nullable=False),
        sa.Column("profile_type", sa.Text, nullable=False),
        sa.Column("operator", sa.Text, nullable=False),
        sa.Column("iccid", sa.Text),
        sa.Column("matching_id", sa.Text),
        sa.Column("smdp_address", sa.Text),
        sa.Column("state", sa.Text, nullable=False, server_default="ordered"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("statuses", JSONB, nullable=False, server_default="[]"),
        sa.Column("reason", sa.Text),
        timestamp("paid_at", nullable=False),
        timestamp("deadline", nullable=False),
        timestamp("created_at", nullable=False),
        timestamp("settled_at"),
        timestamp("withdrawn_at"),
    )
    op.create_index("profiles_iccid", "profiles", ["iccid"], unique=True)
