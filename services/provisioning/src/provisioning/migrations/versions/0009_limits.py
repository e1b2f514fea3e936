"""Indexes by which reports and webhooks of operators are counted. Adds only."""

from alembic import op

revision = "0009"
down_revision = "0008"

_SQL = """
CREATE INDEX observations_of_no_profile ON observations (operator, received_at) WHERE order_id IS NULL;
CREATE INDEX airalo_notices_reference ON airalo_notices (operator, reference) WHERE reference IS NOT NULL;
CREATE INDEX airalo_notices_unnamed ON airalo_notices (operator, received_at) WHERE reference IS NULL;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_SQL)
