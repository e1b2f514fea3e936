"""What is remembered of calls to a reseller without idempotency keys."""

import sqlalchemy as sa
from alembic import op

from shared.spine import timestamp

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "airalo_requests",
        sa.Column("operator", sa.Text, primary_key=True),
        sa.Column("reference", sa.Text, primary_key=True),
        timestamp("asked_at"),
        sa.Column("request_id", sa.Text),
        timestamp("refund_asked_at"),
        sa.Column("refund_id", sa.Text),
    )
    op.create_table(
        "airalo_notices",
        sa.Column("operator", sa.Text, primary_key=True),
        sa.Column("request_id", sa.Text, primary_key=True),
        sa.Column("reference", sa.Text),
        sa.Column("code", sa.Integer),
        timestamp("received_at", nullable=False),
    )
    op.create_table(
        "airalo_usage",
        sa.Column("operator", sa.Text, primary_key=True),
        sa.Column("iccid", sa.Text, primary_key=True),
        timestamp("asked_at", nullable=False),
    )
