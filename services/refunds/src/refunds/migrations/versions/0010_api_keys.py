"""API keys of shops, as ordering publishes them. Adds only."""

from alembic import op

from shared.keys.tables import upgrade_v1

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    upgrade_v1(op)
