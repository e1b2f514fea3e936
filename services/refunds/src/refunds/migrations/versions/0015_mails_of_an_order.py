"""The mails, messages and files of an order are found by an index. Adds only."""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("support_mails_order", "support_mails", ["order_id"])
