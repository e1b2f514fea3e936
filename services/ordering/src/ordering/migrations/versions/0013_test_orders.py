"""Whether an order was placed with a key for tests. Adds only; orders of earlier releases are not."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.get_bind().exec_driver_sql("ALTER TABLE orders ADD COLUMN test boolean NOT NULL DEFAULT false")
