"""The IPv6 network of a checkout, for the limits of fraud control. Adds only; null is counted by `ip`."""

from alembic import op

revision = "0009"
down_revision = "0008"

_SQL = """
ALTER TABLE session_records ADD COLUMN network text;
CREATE INDEX session_records_network ON session_records (network, consented_at) WHERE network IS NOT NULL;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_SQL)
