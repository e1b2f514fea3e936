"""Indexes that contain all that a list of a mailbox's orders is sorted by. Nothing else changes.

Writers of orders wait while the migration runs.
"""

from alembic import op

revision = "0012"
down_revision = "0011"

_INDEXES = """
CREATE INDEX orders_buyer_now ON orders (buyer_id) INCLUDE (storefront, placed_at, order_id);
DROP INDEX orders_buyer;
ALTER INDEX orders_buyer_now RENAME TO orders_buyer;
CREATE INDEX buyers_mailbox_now ON buyers (storefront, mailbox_key, updated_at) INCLUDE (buyer_id);
DROP INDEX buyers_mailbox;
ALTER INDEX buyers_mailbox_now RENAME TO buyers_mailbox;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_INDEXES)
