"""What became of the code that a refund pays back, and when a case asked for its revocation. Adds only."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_COLUMNS = """
ALTER TABLE cases ADD COLUMN revocation_requested_at timestamptz;
ALTER TABLE refunds ADD COLUMN code text;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_COLUMNS)
