"""Identify events by (source, id); an id from outside no longer selects the partition."""

from alembic import op

from shared.core_tables import upgrade_v3

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    upgrade_v3(op)
