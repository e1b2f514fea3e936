"""What agents write to buyers. Adds only."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE support_answers (
  answer_id uuid PRIMARY KEY, order_id uuid NOT NULL, buyer_id uuid NOT NULL, case_id uuid, claim_id uuid,
  at timestamptz NOT NULL, who text NOT NULL, text text NOT NULL, keep_until timestamptz NOT NULL);
CREATE INDEX support_answers_case ON support_answers (case_id);
CREATE INDEX support_answers_claim ON support_answers (claim_id);
CREATE INDEX support_answers_order ON support_answers (order_id);
CREATE INDEX support_answers_buyer ON support_answers (buyer_id);
CREATE INDEX support_answers_end ON support_answers (keep_until);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_TABLES)
