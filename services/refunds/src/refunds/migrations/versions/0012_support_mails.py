"""E-mails to the shops' support addresses, and their files. Adds only."""

from alembic import op

revision = "0012"
down_revision = "0011"

_SQL = """
CREATE TABLE support_mails (
  mail_id uuid PRIMARY KEY,
  storefront text NOT NULL,
  way text NOT NULL,
  received_at timestamptz NOT NULL,
  state text NOT NULL,
  why text,
  proof text,
  sender_hash bytea,
  content bytea,
  order_id uuid,
  buyer_id uuid,
  case_id uuid,
  claim_id uuid,
  handled_at timestamptz,
  handled_by text,
  keep_until timestamptz NOT NULL,
  trace text
);
CREATE INDEX support_mails_waiting ON support_mails (received_at) WHERE state = 'waiting';
CREATE INDEX support_mails_sender ON support_mails (sender_hash, received_at);
CREATE INDEX support_mails_case ON support_mails (case_id);
CREATE INDEX support_mails_claim ON support_mails (claim_id);
CREATE INDEX support_mails_buyer ON support_mails (buyer_id);
CREATE INDEX support_mails_end ON support_mails (keep_until);

CREATE TABLE support_mail_files (
  mail_id uuid NOT NULL REFERENCES support_mails ON DELETE CASCADE,
  number integer NOT NULL,
  digest bytea NOT NULL,
  kind text NOT NULL,
  size integer NOT NULL,
  refusal text,
  name bytea NOT NULL,
  content bytea,
  PRIMARY KEY (mail_id, number)
);

CREATE INDEX contacts_email ON contacts (email_hash);
CREATE INDEX order_facts_buyer ON order_facts (buyer_id);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_SQL)
