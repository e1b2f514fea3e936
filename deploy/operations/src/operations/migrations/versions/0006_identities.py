"""Events are told apart by (source, id); no id from outside decides where a row goes."""

from alembic import op

from shared.spine import upgrade_v3

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    upgrade_v3(op)
