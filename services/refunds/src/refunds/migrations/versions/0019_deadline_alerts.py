"""Which deadlines were announced to agents. Adds only."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE deadline_alerts (
  subject_id uuid NOT NULL, kind text NOT NULL, due_at timestamptz NOT NULL, alerted_at timestamptz NOT NULL,
  PRIMARY KEY (subject_id, kind, due_at));
CREATE INDEX deadline_alerts_end ON deadline_alerts (due_at);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_TABLE)
