"""Templates of answers to buyers. Adds only."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_TABLE = """
CREATE TABLE answer_templates (
  template_id uuid PRIMARY KEY, storefront text NOT NULL, language text NOT NULL, name text NOT NULL,
  text text NOT NULL, changed_at timestamptz NOT NULL, changed_by text NOT NULL);
CREATE UNIQUE INDEX answer_templates_name ON answer_templates (storefront, language, name);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_TABLE)
