"""What operations people decide about dead letters."""

from alembic import op

from shared.spine import upgrade_v2

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    upgrade_v2(op)
