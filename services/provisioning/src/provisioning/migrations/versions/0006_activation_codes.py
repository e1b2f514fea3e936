"""What an activation code of a profile in stock holds besides address and matching id: OID, confirmation code flag.

Release 1.0.1 works on it: it neither reads nor writes these columns.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("stock_profiles", sa.Column("oid", sa.Text))
    op.add_column(
        "stock_profiles", sa.Column("asks_confirmation_code", sa.Boolean, nullable=False, server_default="false")
    )
