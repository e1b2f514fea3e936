"""Conversations of the chat of a shop's site, in tables as those of the Telegram bot, and their answers. Adds only."""

from alembic import op

revision = "0021"
down_revision = "0020"

_TABLES = """
CREATE TABLE site_chats (
  chat_key bytea PRIMARY KEY,
  storefront text NOT NULL,
  sealed jsonb NOT NULL,
  updated_at timestamptz NOT NULL,
  keep_until timestamptz NOT NULL
);
CREATE INDEX site_chats_end ON site_chats (keep_until);

CREATE TABLE site_cases (
  case_id uuid NOT NULL,
  chat_key bytea NOT NULL,
  buyer_id uuid NOT NULL,
  opened_at timestamptz NOT NULL,
  PRIMARY KEY (case_id, chat_key)
);
CREATE INDEX site_cases_chat ON site_cases (chat_key);
CREATE INDEX site_cases_buyer ON site_cases (buyer_id);

CREATE TABLE site_updates (
  storefront text NOT NULL,
  update_id bigint NOT NULL,
  received_at timestamptz NOT NULL,
  PRIMARY KEY (storefront, update_id)
);
CREATE INDEX site_updates_received ON site_updates (received_at);

CREATE TABLE site_answers (
  chat_key bytea NOT NULL REFERENCES site_chats ON DELETE CASCADE,
  number integer NOT NULL,
  answer_key text NOT NULL,
  sealed bytea NOT NULL,
  at timestamptz NOT NULL,
  PRIMARY KEY (chat_key, number)
);
CREATE UNIQUE INDEX site_answers_key ON site_answers (chat_key, answer_key);

CREATE TABLE site_guesses (guess_id uuid PRIMARY KEY, number_key bytea NOT NULL, guessed_at timestamptz NOT NULL);
CREATE INDEX site_guesses_of ON site_guesses (number_key, guessed_at);
CREATE INDEX site_guesses_end ON site_guesses (guessed_at);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_TABLES)
