"""Chats of the Telegram bot."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE telegram_chats (
  chat_key bytea PRIMARY KEY,
  storefront text NOT NULL,
  sealed jsonb NOT NULL,
  updated_at timestamptz NOT NULL,
  keep_until timestamptz NOT NULL
);
CREATE INDEX telegram_chats_end ON telegram_chats (keep_until);

CREATE TABLE telegram_cases (
  case_id uuid NOT NULL,
  chat_key bytea NOT NULL,
  buyer_id uuid NOT NULL,
  opened_at timestamptz NOT NULL,
  PRIMARY KEY (case_id, chat_key)
);
CREATE INDEX telegram_cases_chat ON telegram_cases (chat_key);
CREATE INDEX telegram_cases_buyer ON telegram_cases (buyer_id);

CREATE TABLE telegram_updates (
  storefront text NOT NULL,
  update_id bigint NOT NULL,
  received_at timestamptz NOT NULL,
  PRIMARY KEY (storefront, update_id)
);
CREATE INDEX telegram_updates_received ON telegram_updates (received_at);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_TABLES)
