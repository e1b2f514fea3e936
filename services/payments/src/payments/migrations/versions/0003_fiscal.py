"""Fiscal receipts, and whose turn it is at each cash register."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE receipts (
  receipt_id uuid PRIMARY KEY,
  order_id uuid NOT NULL,
  order_number text NOT NULL,
  storefront text NOT NULL,
  buyer_id uuid NOT NULL,
  kind text NOT NULL,
  refund_id uuid,
  number text NOT NULL,
  title text NOT NULL,
  amount_minor bigint NOT NULL,
  currency text NOT NULL,
  born_at timestamptz NOT NULL,
  asked_at timestamptz,
  cashbox text,
  check_number text,
  registration_number text,
  fiscal_time text,
  ticket_url text,
  offline boolean,
  issued_at timestamptz,
  CONSTRAINT receipts_number UNIQUE (number),
  CONSTRAINT receipt_is_positive CHECK (amount_minor > 0),
  CONSTRAINT receipt_number_fits CHECK (length(number) <= 50),
  CONSTRAINT return_has_a_refund CHECK ((kind = 'sale_return') = (refund_id IS NOT NULL)),
  CONSTRAINT issued_has_a_check CHECK (issued_at IS NULL OR (check_number IS NOT NULL AND ticket_url IS NOT NULL))
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX receipts_one_sale ON receipts (order_id) WHERE kind = 'sale';
CREATE UNIQUE INDEX receipts_one_return ON receipts (refund_id) WHERE refund_id IS NOT NULL;
CREATE INDEX receipts_order ON receipts (order_id);
CREATE INDEX receipts_waiting ON receipts (storefront, born_at) WHERE issued_at IS NULL;

CREATE TABLE register_turns (
  cashbox text PRIMARY KEY,
  holder uuid,
  until timestamptz NOT NULL
);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_TABLES)
