"""Representatives of buyers (PP 6.2). Adds only.

Names and evidence are in `support_mails`, sealed, with the state `filed`.
"""

from alembic import op

revision = "0020"
down_revision = "0019"

_TABLES = """
CREATE TABLE representations (
  representation_id uuid PRIMARY KEY,
  order_id uuid NOT NULL,
  buyer_id uuid NOT NULL,
  storefront text NOT NULL,
  identification jsonb NOT NULL,
  recorded_by text NOT NULL,
  recorded_at timestamptz NOT NULL,
  confirmed boolean,
  decided_by text,
  decided_at timestamptz,
  ended_by text,
  ended_at timestamptz,
  CONSTRAINT representation_second_person CHECK (decided_by IS NULL OR decided_by <> recorded_by)
);
CREATE INDEX representations_order ON representations (order_id);
CREATE INDEX representations_buyer ON representations (buyer_id);
CREATE INDEX representations_waiting ON representations (recorded_at) WHERE confirmed IS NULL AND ended_at IS NULL;

CREATE TABLE representation_acts (
  act_id uuid PRIMARY KEY,
  representation_id uuid NOT NULL,
  at timestamptz NOT NULL,
  who text NOT NULL,
  what text NOT NULL,
  outcome text NOT NULL
);
CREATE INDEX representation_acts_of ON representation_acts (representation_id, at);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_TABLES)
