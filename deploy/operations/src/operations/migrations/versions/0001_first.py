"""The spine; what facts say of orders; what was found wrong."""

from alembic import op

from shared.spine import upgrade_v1, upgrade_v2

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE orders (
  order_id uuid PRIMARY KEY,
  order_number text NOT NULL,
  storefront text NOT NULL,
  buyer_id uuid NOT NULL,
  known_at timestamptz,
  kind text,
  plan text,
  price_minor bigint,
  currency text,
  placed_at timestamptz,
  placed_known_at timestamptz,
  held_at timestamptz,
  refused_at timestamptz,
  payment_failed_at timestamptz,
  payment_lapsed_at timestamptz,
  paid_minor bigint,
  paid_at timestamptz,
  paid_known_at timestamptz,
  receipt_at timestamptz,
  generated_at timestamptz,
  generated_known_at timestamptz,
  iccid_least text,
  iccid_greatest text,
  profile_failed_at timestamptz,
  profile_failed_known_at timestamptz,
  top_up_applied_at timestamptz,
  delivered_at timestamptz,
  delivered_known_at timestamptz,
  delivery_failed_at timestamptz,
  activated_at timestamptz,
  revoked_at timestamptz,
  revocation_refused_at timestamptz,
  expired_at timestamptz,
  refund_requested_at timestamptz,
  refund_approved_at timestamptz,
  refund_denied_at timestamptz,
  refund_settled_at timestamptz,
  refund_failed_at timestamptz
) WITH (fillfactor = 60);
CREATE INDEX orders_number ON orders (order_number);
CREATE INDEX orders_known ON orders USING brin (known_at);
CREATE INDEX orders_buyer ON orders (buyer_id);
CREATE INDEX orders_without_outcome ON orders (paid_at) WHERE paid_at IS NOT NULL AND generated_at IS NULL
  AND profile_failed_at IS NULL AND top_up_applied_at IS NULL;
CREATE INDEX orders_delivered_unpaid ON orders (order_id) WHERE delivered_at IS NOT NULL AND paid_at IS NULL;
CREATE INDEX orders_generated_unpaid ON orders (order_id) WHERE generated_at IS NOT NULL AND paid_at IS NULL;
CREATE INDEX orders_failed_without_case ON orders (order_id)
  WHERE profile_failed_at IS NOT NULL AND refund_requested_at IS NULL;
CREATE INDEX orders_undelivered ON orders (generated_at)
  WHERE generated_at IS NOT NULL AND delivered_at IS NULL AND delivery_failed_at IS NULL;
CREATE INDEX orders_without_receipt ON orders (storefront, paid_at) WHERE paid_at IS NOT NULL AND receipt_at IS NULL;
CREATE INDEX orders_two_profiles ON orders (order_id) WHERE iccid_least <> iccid_greatest;
CREATE INDEX orders_refunded ON orders (order_id) WHERE refund_settled_at IS NOT NULL;
CREATE INDEX orders_price_differs ON orders (order_id) WHERE paid_minor <> price_minor;

CREATE TABLE esims (
  order_id uuid NOT NULL,
  iccid text NOT NULL,
  operator text,
  generated_at timestamptz,
  PRIMARY KEY (order_id, iccid)
);
CREATE INDEX esims_iccid ON esims (iccid);

CREATE TABLE cases (
  case_id uuid PRIMARY KEY,
  order_id uuid NOT NULL,
  reason text,
  requested_at timestamptz,
  requested_again_at timestamptz,
  requested_known_at timestamptz,
  information_asked_at timestamptz,
  cancellation_accepted_at timestamptz,
  approved_at timestamptz,
  denied_at timestamptz,
  appealed_at timestamptz,
  appeal_answer_by timestamptz
);
CREATE INDEX cases_order ON cases (order_id);
CREATE INDEX cases_open ON cases (requested_at) WHERE approved_at IS NULL;

CREATE TABLE refunds (
  refund_id uuid PRIMARY KEY,
  order_id uuid NOT NULL,
  case_id uuid,
  charge_id uuid,
  policy text,
  clauses text,
  approved_minor bigint,
  currency text,
  approved_at timestamptz,
  approved_known_at timestamptz,
  pay_by timestamptz,
  credited_by date,
  settled_minor bigint,
  settled_at timestamptz,
  settled_known_at timestamptz,
  failed_at timestamptz
);
CREATE INDEX refunds_order ON refunds (order_id);
CREATE INDEX refunds_unsettled ON refunds (pay_by) WHERE approved_at IS NOT NULL AND settled_at IS NULL;

CREATE TABLE charges (
  charge_id uuid PRIMARY KEY,
  order_id uuid NOT NULL,
  amount_minor bigint,
  currency text,
  captured_at timestamptz,
  captured_known_at timestamptz
);
CREATE INDEX charges_order ON charges (order_id);

CREATE TABLE storefronts (storefront text PRIMARY KEY, receipts_since timestamptz);

CREATE TABLE erasures (
  request_id uuid PRIMARY KEY,
  buyer_id uuid NOT NULL,
  requested_at timestamptz,
  requested_known_at timestamptz,
  payments_at timestamptz,
  provisioning_at timestamptz,
  notifications_at timestamptz,
  refunds_at timestamptz
);

CREATE TABLE buyers (
  buyer_id uuid PRIMARY KEY,
  email_hash bytea,
  blocked boolean,
  updated_at timestamptz,
  erased_at timestamptz
);
CREATE INDEX buyers_email ON buyers (email_hash);

CREATE TABLE facts (
  event_id uuid PRIMARY KEY,
  order_id uuid,
  subject text,
  topic text NOT NULL,
  at timestamptz NOT NULL,
  told_at timestamptz NOT NULL,
  known_at timestamptz NOT NULL,
  trace text,
  summary jsonb NOT NULL
);
CREATE INDEX facts_order ON facts (order_id);
CREATE INDEX facts_known ON facts USING brin (known_at);
CREATE INDEX facts_ahead ON facts (known_at) WHERE GREATEST(at, told_at) - known_at > interval '10 seconds';

CREATE TABLE violations (
  violation_id uuid PRIMARY KEY,
  invariant text NOT NULL,
  subject text NOT NULL,
  order_id uuid,
  order_number text,
  since timestamptz,
  detail jsonb NOT NULL,
  first_seen_at timestamptz NOT NULL,
  last_seen_at timestamptz NOT NULL,
  resolved_at timestamptz
);
CREATE UNIQUE INDEX violations_open ON violations (invariant, subject) WHERE resolved_at IS NULL;
CREATE INDEX violations_order ON violations (order_id);

CREATE TABLE evaluations (
  invariant text PRIMARY KEY,
  evaluated_at timestamptz NOT NULL,
  as_of timestamptz,
  violations integer NOT NULL,
  milliseconds integer NOT NULL
);

CREATE TABLE turns (name text PRIMARY KEY, taken_at timestamptz NOT NULL);

CREATE TABLE answers (
  service text PRIMARY KEY,
  asked_at timestamptz NOT NULL,
  not_ready_since timestamptz,
  ready boolean NOT NULL,
  checks jsonb NOT NULL,
  summary jsonb,
  summary_at timestamptz,
  operators jsonb,
  problem text
);
"""


def upgrade() -> None:
    upgrade_v1(op)
    upgrade_v2(op)
    op.get_bind().exec_driver_sql(_TABLES)
