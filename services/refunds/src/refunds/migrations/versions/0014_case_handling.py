"""Who works on a case, and up to when its messages were read. Adds only."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE case_handling (
  case_id uuid PRIMARY KEY, assignee text, assigned_at timestamptz, read_at timestamptz, read_by text);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_TABLE)
