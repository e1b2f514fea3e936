"""What is not known of a profile, and a profile that is revoked before its money goes back. Adds only."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_STATEMENTS = """
ALTER TABLE observations ADD COLUMN downloaded_at timestamptz;
ALTER TABLE cases
  ADD COLUMN observing_since timestamptz,
  ADD COLUMN observe_after timestamptz,
  ADD COLUMN possible jsonb,
  ADD COLUMN profile_finding text,
  ADD COLUMN profile_found_at timestamptz,
  ADD COLUMN approval jsonb,
  ADD COLUMN revocation_asked_at timestamptz,
  ADD COLUMN revocation_refused_at timestamptz,
  ADD COLUMN pay_unrevoked boolean,
  ADD COLUMN person_since timestamptz,
  ADD COLUMN person_why text;
CREATE TABLE revocations (
  case_id uuid PRIMARY KEY,
  order_id uuid NOT NULL,
  revoked_at timestamptz,
  refused_at timestamptz,
  refusal text,
  in_use boolean
);
INSERT INTO revocations (case_id, order_id, revoked_at)
  SELECT revoked_case_id, order_id, revoked_at FROM order_facts WHERE revoked_case_id IS NOT NULL;
INSERT INTO revocations (case_id, order_id, refused_at, refusal)
  SELECT revocation_case_id, order_id, revocation_refused_at, revocation_refusal FROM order_facts
  WHERE revocation_case_id IS NOT NULL
  ON CONFLICT (case_id) DO UPDATE SET refused_at = EXCLUDED.refused_at, refusal = EXCLUDED.refusal;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_STATEMENTS)
