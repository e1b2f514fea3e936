"""Sessions follow the account as it is now, and known browsers are counted apart (sign-in's second version)."""

from alembic import op

from shared.signin.tables import upgrade_v2

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    upgrade_v2(op)
