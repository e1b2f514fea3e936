"""Held orders (PP 4.5), codes that buyers confirm with, corrected contacts (PP 6.1), privacy requests (PP 6.2)."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_RIGHTS = """
ALTER TABLE buyers ADD COLUMN blocked boolean NOT NULL DEFAULT false;
CREATE INDEX buyers_phone ON buyers (phone, updated_at);
CREATE INDEX session_records_ip ON session_records (ip, consented_at);

CREATE TABLE holds (
  order_id uuid PRIMARY KEY,
  rules jsonb NOT NULL,
  held_at timestamptz NOT NULL,
  decision text,
  decided_at timestamptz,
  decided_by text
);
CREATE INDEX holds_open ON holds (held_at) WHERE decision IS NULL;

CREATE TABLE confirmations (
  confirmation_id uuid PRIMARY KEY,
  order_id uuid NOT NULL,
  buyer_id uuid NOT NULL,
  storefront text NOT NULL,
  purpose text NOT NULL,
  channel text NOT NULL,
  code_hash bytea NOT NULL,
  payload bytea,
  tries integer NOT NULL DEFAULT 0,
  requested_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  confirmed_at timestamptz
);
CREATE INDEX confirmations_order ON confirmations (order_id, requested_at);
CREATE INDEX confirmations_buyer ON confirmations (buyer_id);
CREATE INDEX confirmations_end ON confirmations (expires_at);

CREATE TABLE contact_changes (
  change_id uuid PRIMARY KEY,
  order_id uuid NOT NULL,
  buyer_id uuid NOT NULL,
  fields jsonb NOT NULL,
  confirmed_by text NOT NULL,
  changed_at timestamptz NOT NULL
);
CREATE INDEX contact_changes_order ON contact_changes (order_id);

CREATE TABLE privacy_requests (
  request_id uuid PRIMARY KEY,
  buyer_id uuid NOT NULL,
  order_id uuid NOT NULL,
  storefront text NOT NULL,
  kind text NOT NULL,
  requested_at timestamptz NOT NULL,
  confirmed_at timestamptz,
  confirmed_by text,
  trace text
);
CREATE INDEX privacy_requests_buyer ON privacy_requests (buyer_id);

CREATE TABLE erasures (
  buyer_id uuid NOT NULL,
  service text NOT NULL,
  kept jsonb NOT NULL,
  erased_at timestamptz NOT NULL,
  PRIMARY KEY (buyer_id, service)
);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_RIGHTS)
