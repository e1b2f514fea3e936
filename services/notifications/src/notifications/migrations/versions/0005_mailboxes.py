"""Newsletters go to mailboxes that confirmed them; links that were used prove mailboxes (I14).

Whoever had agreed by 1.0 stays agreed: `newsletter` says so. Since then a contact only asks (`newsletter_asked`).
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_MAILBOXES = """
ALTER TABLE contacts
  ADD COLUMN mailbox_key text,
  ADD COLUMN newsletter_asked boolean NOT NULL DEFAULT false,
  ADD COLUMN newsletter_at timestamptz,
  ADD COLUMN proved_contact_at timestamptz;
UPDATE contacts SET mailbox_key = lower(email) WHERE newsletter AND email IS NOT NULL;
CREATE INDEX contacts_subscribers ON contacts (storefront, mailbox_key) WHERE newsletter;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_MAILBOXES)
