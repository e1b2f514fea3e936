"""What operations people decide about dead letters, and the log of what they did (the spine's second version)."""

from alembic import op

from shared.spine import upgrade_v2

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    upgrade_v2(op)
