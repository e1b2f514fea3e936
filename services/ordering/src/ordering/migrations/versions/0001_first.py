"""The spine's tables and ordering's own."""

from alembic import op

from shared.spine import upgrade_v1

revision = "0001"
down_revision = None

_OWN = """
CREATE SEQUENCE order_numbers AS bigint START WITH 10000001;

CREATE TABLE buyers (
  buyer_id uuid PRIMARY KEY,
  storefront text NOT NULL,
  email_key text NOT NULL,
  name text NOT NULL,
  email text NOT NULL,
  phone text NOT NULL,
  language text NOT NULL,
  newsletter boolean NOT NULL,
  updated_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX buyers_person ON buyers (storefront, email_key);

CREATE TABLE submissions (
  storefront text NOT NULL,
  submission_id text NOT NULL,
  body_hash bytea NOT NULL,
  order_id uuid NOT NULL,
  PRIMARY KEY (storefront, submission_id)
);

CREATE TABLE orders (
  order_id uuid PRIMARY KEY,
  number bigint NOT NULL DEFAULT nextval('order_numbers'),
  storefront text NOT NULL,
  buyer_id uuid NOT NULL,
  kind text NOT NULL,
  iccid text,
  plan jsonb NOT NULL,
  price bigint NOT NULL,
  currency text NOT NULL,
  offer_version text NOT NULL,
  privacy_version text NOT NULL,
  placed_at timestamptz NOT NULL,
  trace text
);
CREATE UNIQUE INDEX orders_number ON orders (number);
CREATE INDEX orders_buyer ON orders (buyer_id);

CREATE TABLE order_facts (
  order_id uuid NOT NULL,
  fact text NOT NULL,
  ref text NOT NULL,
  at timestamptz NOT NULL,
  detail jsonb,
  trace text,
  PRIMARY KEY (order_id, fact, ref)
);

CREATE TABLE session_records (
  order_id uuid PRIMARY KEY,
  offer_version text NOT NULL,
  privacy_version text NOT NULL,
  consented_at timestamptz NOT NULL,
  ip text,
  user_agent text,
  referrer text,
  keep_until timestamptz NOT NULL
);
CREATE INDEX session_records_end ON session_records (keep_until);
"""

#: The daily clearing of expired session records; the row renews itself each time it is done (work.py).
_CLEARING = """
INSERT INTO work (id, kind, key, payload, due_at, created_at)
VALUES (gen_random_uuid(), 'clear_sessions', 'daily', '{}', now(), now());
"""


def upgrade() -> None:
    upgrade_v1(op)
    bind = op.get_bind()
    bind.exec_driver_sql(_OWN)
    bind.exec_driver_sql(_CLEARING)
