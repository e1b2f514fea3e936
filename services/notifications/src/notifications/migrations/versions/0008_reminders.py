"""Reminders: the day on which a mailbox had one (or a newsletter), and buyers who switched them off.

Release 1.0.1 works on it: it sends newsletters without looking at the days, and no reminders of the new kinds.
"""

import sqlalchemy as sa
from alembic import op

from shared.spine import timestamp

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mailbox_days",
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("storefront", sa.Text, primary_key=True),
        sa.Column("mailbox", sa.Text, primary_key=True),
        sa.Column("buyer_id", sa.Uuid, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("subject_id", sa.Uuid, nullable=False),
    )
    op.create_index("mailbox_days_buyer", "mailbox_days", ["buyer_id"])
    op.create_table(
        "reminders_off",
        sa.Column("buyer_id", sa.Uuid, primary_key=True),
        timestamp("since", nullable=False),
    )
    op.create_index("contacts_mailbox", "contacts", ["storefront", "mailbox_key"])
