"""API keys of shops, as ordering publishes them. Adds only."""

from alembic import op

from shared.keys.tables import upgrade_v1

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    upgrade_v1(op)
