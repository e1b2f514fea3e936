"""Codes that shops had sent again, by their idempotency keys. Adds only."""

from alembic import op

revision = "0009"
down_revision = "0008"

_SQL = """
CREATE TABLE shop_resends (
  storefront text NOT NULL,
  idempotency_key text NOT NULL,
  order_id uuid NOT NULL,
  resend_id uuid NOT NULL,
  requested_at timestamptz NOT NULL,
  PRIMARY KEY (storefront, idempotency_key)
);
CREATE INDEX shop_resends_order ON shop_resends (order_id, requested_at);
CREATE INDEX orders_number ON orders (order_number);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_SQL)
