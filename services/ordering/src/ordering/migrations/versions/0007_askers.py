"""Who asked for a code: the shop, or whoever holds the link of the order's page. Adds only; null is the shop."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.get_bind().exec_driver_sql("ALTER TABLE confirmations ADD COLUMN asked_by text")
