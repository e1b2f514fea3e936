"""The operations page: accounts, sessions, and the trail of what people did."""

from alembic import op

from shared.signin.tables import upgrade_v1

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_AUDIT = """
CREATE TABLE audit (
  entry_id uuid PRIMARY KEY,
  at timestamptz NOT NULL,
  who text NOT NULL,
  what text NOT NULL,
  subject text NOT NULL,
  reason text NOT NULL,
  outcome jsonb
);
CREATE INDEX audit_at ON audit (at);

CREATE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' OR OLD.outcome IS NOT NULL
     OR (NEW.entry_id, NEW.at, NEW.who, NEW.what, NEW.subject, NEW.reason)
        IS DISTINCT FROM (OLD.entry_id, OLD.at, OLD.who, OLD.what, OLD.subject, OLD.reason) THEN
    RAISE EXCEPTION 'the audit trail is written once';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_stays();
"""


def upgrade() -> None:
    upgrade_v1(op)
    op.get_bind().exec_driver_sql(_AUDIT.replace("%", "%%"))
