"""The spine's tables, `contacts` and `mails`."""

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
    op.create_table(
        "contacts",
        sa.Column("buyer_id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.Text),
        sa.Column("email", sa.Text),
        sa.Column("language", sa.Text),
        timestamp("updated_at"),
        timestamp("erased_at"),
    )
    op.create_table(
        "mails",
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("subject_id", sa.Uuid, primary_key=True),
        sa.Column("order_id", sa.Uuid, nullable=False),
        sa.Column("buyer_id", sa.Uuid, nullable=False),
        sa.Column("facts", JSONB, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("trace", sa.Text),
        sa.Column("smtp_code", sa.Integer),
        sa.Column("enhanced_code", sa.Text),
        timestamp("created_at", nullable=False),
        timestamp("settled_at"),
    )
    op.create_index("mails_waiting", "mails", ["buyer_id"], postgresql_where=sa.text("state = 'waiting'"))
