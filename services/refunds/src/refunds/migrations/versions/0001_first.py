"""The spine, facts of orders, cases, outcomes of refunds."""

from alembic import op

from shared.spine import upgrade_v1

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE order_facts (
  order_id uuid PRIMARY KEY,
  order_number text NOT NULL,
  storefront text NOT NULL,
  buyer_id uuid NOT NULL,
  paid_at timestamptz,
  paid_minor bigint,
  currency text,
  generated_at timestamptz,
  failed_at timestamptz,
  failure text,
  failure_statuses jsonb,
  delivered_at timestamptz,
  delivery_channel text,
  delivery_failed_at timestamptz,
  delivery_failure text,
  settled_at timestamptz,
  refund_failed_at timestamptz,
  case_opened_at timestamptz
) WITH (fillfactor = 50); -- three facts per order rewrite the row: room on its own page keeps the indexes out of it
CREATE INDEX order_facts_awaiting_case ON order_facts (order_id)
  WHERE failed_at IS NOT NULL AND case_opened_at IS NULL;

CREATE TABLE cases (
  case_id uuid PRIMARY KEY,
  order_id uuid NOT NULL,
  ground text NOT NULL,
  origin text NOT NULL,
  requested_at timestamptz NOT NULL,
  verdict text,
  decided_at timestamptz,
  refund_id uuid,
  amount_minor bigint,
  currency text,
  policy text,
  grounds jsonb,
  explanation jsonb,
  pay_by timestamptz,
  credited_by date,
  CONSTRAINT cases_order_ground UNIQUE (order_id, ground),
  CONSTRAINT cases_refund UNIQUE (refund_id)
);

CREATE TABLE refund_outcomes (
  refund_id uuid PRIMARY KEY,
  order_id uuid NOT NULL,
  settled_at timestamptz,
  failed_at timestamptz,
  failure text
);
"""


def upgrade() -> None:
    upgrade_v1(op)
    op.get_bind().exec_driver_sql(_TABLES)
