"""A contact of its own for every order, and what proves a mailbox (I14).

Buyers who were merged stay as they are, and nobody is joined to anybody. `email_key` was how a later order found and
overwrote an earlier buyer; it is taken from all of them now, so that an instance of the release before that still runs
finds nobody to overwrite. The column and its index go when that release is gone.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_MAILBOXES = """
ALTER TABLE buyers
  ADD COLUMN mailbox_key text,
  ADD COLUMN newsletter_asked boolean NOT NULL DEFAULT false,
  ADD COLUMN proved_email text,
  ADD COLUMN proved_at timestamptz,
  ADD COLUMN proved_by text;
UPDATE buyers SET
  mailbox_key = CASE WHEN email_key = buyer_id::text THEN lower(email) ELSE email_key END,
  email_key = buyer_id::text;
CREATE INDEX buyers_mailbox ON buyers (storefront, mailbox_key, updated_at);

ALTER TABLE confirmations ADD COLUMN contact_hash bytea;
ALTER TABLE contact_changes ADD COLUMN identification jsonb;
ALTER TABLE privacy_requests ADD COLUMN identification jsonb;

CREATE TABLE privacy_request_buyers (
  request_id uuid NOT NULL,
  buyer_id uuid NOT NULL,
  PRIMARY KEY (request_id, buyer_id)
);
CREATE INDEX privacy_request_buyers_buyer ON privacy_request_buyers (buyer_id);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_MAILBOXES)
