"""Phones, consent and blocks of buyers; codes by SMS; what erasures look for; newsletters."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from shared.spine import timestamp

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("contacts", sa.Column("phone", sa.Text))
    op.add_column("contacts", sa.Column("storefront", sa.Text))
    op.add_column("contacts", sa.Column("newsletter", sa.Boolean, nullable=False, server_default="false"))
    op.add_column("contacts", sa.Column("blocked", sa.Boolean, nullable=False, server_default="false"))
    op.create_index(
        "contacts_newsletter", "contacts", ["storefront", "buyer_id"], postgresql_where=sa.text("newsletter")
    )
    op.add_column("mails", sa.Column("channel", sa.Text))
    # Finds all that mails_waiting found; and without a state in any index, a mail that is sent stays where it lies.
    op.create_index("mails_buyer", "mails", ["buyer_id"])
    op.drop_index("mails_waiting", "mails")
    op.execute("ALTER TABLE mails SET (fillfactor = 85)")
    op.create_index("orders_buyer", "orders", ["buyer_id"])
    op.create_table(
        "newsletters",
        sa.Column("newsletter_id", sa.Uuid, primary_key=True),
        sa.Column("storefront", sa.Text, nullable=False),
        sa.Column("author", sa.Text, nullable=False),
        sa.Column("letters", JSONB, nullable=False),
        sa.Column("skipped", sa.Integer, nullable=False, server_default="0"),
        timestamp("created_at", nullable=False),
        timestamp("planned_at"),
        timestamp("stopped_at"),
    )
    op.create_table(
        "newsletter_recipients",
        sa.Column("newsletter_id", sa.Uuid, primary_key=True),
        sa.Column("buyer_id", sa.Uuid, primary_key=True),
        sa.Column("mail_id", sa.Uuid, nullable=False),
        sa.Column("day", sa.Date),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("smtp_code", sa.Integer),
        timestamp("settled_at"),
    )
    op.create_index("newsletter_one_a_day", "newsletter_recipients", ["buyer_id", "day"], unique=True)
    op.create_index("newsletter_mail", "newsletter_recipients", ["mail_id"], unique=True)
    op.create_table(
        "newsletter_suppressions",
        sa.Column("buyer_id", sa.Uuid, primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        timestamp("since", nullable=False),
    )
