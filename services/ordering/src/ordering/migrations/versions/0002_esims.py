"""The eSIMs that were sold, by ICCID: what a top-up must know before it is paid for."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_ESIMS = """
CREATE TABLE esims (
  iccid text PRIMARY KEY,
  order_id uuid,
  storefront text,
  plan jsonb,
  revoked_at timestamptz,
  expired_at timestamptz,
  deleted_at timestamptz
);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_ESIMS)
