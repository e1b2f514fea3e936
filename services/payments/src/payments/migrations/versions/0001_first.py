"""The spine, payment orders, attempts, webhooks received, contacts, refunds."""

import secrets

from alembic import op

from shared.spine import upgrade_v1

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE payment_orders (
  order_id uuid PRIMARY KEY,
  order_number text NOT NULL,
  storefront text NOT NULL,
  buyer_id uuid NOT NULL,
  kind text NOT NULL,
  iccid text,
  plan jsonb NOT NULL,
  price_minor bigint NOT NULL,
  currency text NOT NULL,
  placed_at timestamptz NOT NULL,
  trace text,
  captured_minor bigint NOT NULL DEFAULT 0,
  refunded_minor bigint NOT NULL DEFAULT 0,
  captured_invoice bigint,
  transaction_id text,
  paid_at timestamptz,
  CONSTRAINT refunds_within_capture CHECK (refunded_minor >= 0 AND refunded_minor <= captured_minor),
  CONSTRAINT capture_has_an_invoice CHECK (captured_invoice IS NOT NULL OR captured_minor = 0)
) WITH (fillfactor = 60);

CREATE TABLE attempts (
  invoice_id bigint PRIMARY KEY DEFAULT nextval('invoice_ids'),
  order_id uuid NOT NULL,
  number smallint NOT NULL,
  secret_hash text NOT NULL,
  state text NOT NULL DEFAULT 'open',
  reason_code integer,
  transaction_id text,
  opened_at timestamptz NOT NULL,
  handed_out_at timestamptz,
  settled_at timestamptz,
  CONSTRAINT attempts_order_number UNIQUE (order_id, number)
) WITH (fillfactor = 60);

CREATE TABLE notifications (
  invoice_id bigint,
  transaction_id text,
  code text,
  reason_code integer,
  received_at timestamptz NOT NULL,
  PRIMARY KEY (invoice_id, transaction_id, code)
);

CREATE TABLE contacts (
  buyer_id uuid PRIMARY KEY,
  name text NOT NULL,
  email text NOT NULL,
  phone text NOT NULL,
  language text NOT NULL,
  updated_at timestamptz NOT NULL
);

CREATE TABLE refunds (
  refund_id uuid PRIMARY KEY,
  order_id uuid NOT NULL,
  order_number text NOT NULL,
  storefront text NOT NULL,
  buyer_id uuid NOT NULL,
  amount_minor bigint NOT NULL,
  currency text NOT NULL,
  external_id text NOT NULL,
  state text NOT NULL DEFAULT 'approved',
  owed_minor bigint,
  failure text,
  credited_by date,
  approved_at timestamptz NOT NULL,
  called_at timestamptz,
  ended_at timestamptz,
  CONSTRAINT refund_is_positive CHECK (amount_minor > 0)
);
CREATE UNIQUE INDEX refunds_one_call_per_order ON refunds (order_id) WHERE state = 'calling';
CREATE INDEX refunds_order ON refunds (order_id);
"""


def upgrade() -> None:
    upgrade_v1(op)
    # Not from 1: a terminal may be shared with an earlier database, and its last six digits must not come again.
    start = 100_000_000 + secrets.randbelow(800_000_000)
    op.execute(f"CREATE SEQUENCE invoice_ids MINVALUE 100000 MAXVALUE 999999999999999 START WITH {start} CACHE 1")
    op.get_bind().exec_driver_sql(_TABLES)
