"""What is known of orders (to say the right thing, once, and for the account page); bounces of mails."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from shared.spine import timestamp

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


#: What the mails of the first version tell of their orders.
_KNOWN = """
INSERT INTO orders (order_id, order_number, storefront, buyer_id, trace, answered_at, generated_at, valid_until,
                    channel, delivered_at)
SELECT m.order_id, m.facts->>'order_number', m.facts->>'storefront', m.buyer_id, m.trace, m.created_at,
       (m.facts->>'generated_at')::timestamptz, (m.facts->>'valid_until')::timestamptz,
       CASE WHEN m.state = 'sent' THEN 'email' END, CASE WHEN m.state = 'sent' THEN m.settled_at END
FROM mails m WHERE m.kind = 'qr' ON CONFLICT DO NOTHING
"""


def upgrade() -> None:
    op.create_table(
        "orders",
        sa.Column("order_id", sa.Uuid, primary_key=True),
        sa.Column("order_number", sa.Text, nullable=False),
        sa.Column("storefront", sa.Text, nullable=False),
        sa.Column("buyer_id", sa.Uuid, nullable=False),
        sa.Column("trace", sa.Text),
        sa.Column("paid", JSONB),
        timestamp("paid_at"),
        sa.Column("receipt", JSONB),
        timestamp("answered_at"),
        timestamp("generated_at"),
        timestamp("valid_until"),
        timestamp("failed_at"),
        timestamp("topped_up_at"),
        timestamp("refunded_at"),
        timestamp("revoked_at"),
        timestamp("expired_at"),
        timestamp("installed_at"),
        timestamp("activated_at"),
        timestamp("plan_ends_at"),
        sa.Column("used_bytes", sa.BigInteger),
        sa.Column("total_bytes", sa.BigInteger),
        timestamp("usage_at"),
        sa.Column("channel", sa.Text),
        timestamp("delivered_at"),
        timestamp("shown_at"),
        sa.Column("resends", sa.Integer, nullable=False, server_default="0"),
        timestamp("resent_at"),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index("orders_paid", "orders", ["paid_at"])
    op.create_index("orders_valid", "orders", ["valid_until"], postgresql_using="brin")
    op.add_column("mails", sa.Column("soft_bounces", sa.Integer, nullable=False, server_default="0"))
    op.add_column("mails", timestamp("bounced_at"))
    op.create_index("mails_order", "mails", ["order_id"])
    op.execute(_KNOWN)
