"""Updates for shops, their webhook endpoints, and deliveries. Adds only: release 1.0 works on it.

The index on `submissions` finds the idempotency key of an order, which every update names.
"""

from alembic import op

revision = "0008"
down_revision = "0007"

_UPDATES = """
CREATE INDEX submissions_order ON submissions (order_id);

CREATE TABLE updates (
  update_id uuid PRIMARY KEY,
  storefront text NOT NULL,
  order_id uuid,
  type text NOT NULL,
  ref text NOT NULL,
  occurred_at timestamptz NOT NULL,
  body jsonb NOT NULL,
  trace text
);
CREATE UNIQUE INDEX updates_fact ON updates (order_id, type, ref);
CREATE INDEX updates_of_shop ON updates (storefront, update_id);

CREATE TABLE webhook_endpoints (
  endpoint_id uuid PRIMARY KEY,
  storefront text NOT NULL,
  url text NOT NULL,
  description text NOT NULL,
  types jsonb,
  created_at timestamptz NOT NULL,
  disabled_at timestamptz,
  disabled_reason text,
  failures integer NOT NULL DEFAULT 0,
  failing_since timestamptz,
  paused_until timestamptz,
  succeeded_at timestamptz
);
CREATE INDEX webhook_endpoints_shop ON webhook_endpoints (storefront);

CREATE TABLE webhook_secrets (
  secret_id uuid PRIMARY KEY,
  endpoint_id uuid NOT NULL,
  sealed text NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz
);
CREATE INDEX webhook_secrets_endpoint ON webhook_secrets (endpoint_id);

CREATE TABLE webhook_deliveries (
  endpoint_id uuid NOT NULL,
  update_id uuid NOT NULL,
  order_id uuid,
  state text NOT NULL,
  attempts integer NOT NULL DEFAULT 0,
  due_at timestamptz NOT NULL,
  give_up_at timestamptz NOT NULL,
  last_attempt_at timestamptz,
  last_status integer,
  last_latency_ms integer,
  last_answer text,
  last_error text,
  PRIMARY KEY (endpoint_id, update_id)
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, due_at) WHERE state = 'waiting';
ALTER TABLE webhook_deliveries SET (fillfactor = 80);

INSERT INTO work (id, kind, key, payload, due_at, created_at)
VALUES (gen_random_uuid(), 'delete_updates', 'hourly', '{}', now(), now());
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_UPDATES)
