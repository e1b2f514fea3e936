"""The legal person that an order is for (PO 1). Adds only; contacts of earlier releases have none."""

from alembic import op

from shared.core_tables import without_statistics

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.get_bind().exec_driver_sql("ALTER TABLE contacts ADD COLUMN company jsonb")
    without_statistics(op, {"contacts": ("company",)})
