"""The spine and the toy's one table."""

from alembic import op

from shared.spine import upgrade_v1
from shared.testing.toy.service import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    upgrade_v1(op)
    metadata.create_all(op.get_bind(), checkfirst=False)
