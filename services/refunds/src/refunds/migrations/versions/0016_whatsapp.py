"""Chats of WhatsApp, in tables as those of the Telegram bot."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE whatsapp_chats (
  chat_key bytea PRIMARY KEY,
  storefront text NOT NULL,
  sealed jsonb NOT NULL,
  updated_at timestamptz NOT NULL,
  keep_until timestamptz NOT NULL
);
CREATE INDEX whatsapp_chats_end ON whatsapp_chats (keep_until);

CREATE TABLE whatsapp_cases (
  case_id uuid NOT NULL,
  chat_key bytea NOT NULL,
  buyer_id uuid NOT NULL,
  opened_at timestamptz NOT NULL,
  PRIMARY KEY (case_id, chat_key)
);
CREATE INDEX whatsapp_cases_chat ON whatsapp_cases (chat_key);
CREATE INDEX whatsapp_cases_buyer ON whatsapp_cases (buyer_id);

CREATE TABLE whatsapp_updates (
  storefront text NOT NULL,
  update_id bigint NOT NULL,
  received_at timestamptz NOT NULL,
  PRIMARY KEY (storefront, update_id)
);
CREATE INDEX whatsapp_updates_received ON whatsapp_updates (received_at);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_TABLES)
