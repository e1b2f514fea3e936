"""Refused refunds that are tried again or paid by hand."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE orders ADD COLUMN refund_retried_at timestamptz")
    op.execute("ALTER TABLE refunds ADD COLUMN retried_at timestamptz, ADD COLUMN left_minor bigint")
