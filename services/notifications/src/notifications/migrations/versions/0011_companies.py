"""The legal person that an order is for (PO 1). Adds only; contacts of earlier releases have none."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.get_bind().exec_driver_sql("ALTER TABLE contacts ADD COLUMN company jsonb")
