"""The legal person that an order is for (PO 1). Adds only; orders of earlier releases have none."""

from alembic import op

from shared.core_tables import without_statistics

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.get_bind().exec_driver_sql("ALTER TABLE buyers ADD COLUMN company jsonb")
    without_statistics(op, {"buyers": ("company",)})
