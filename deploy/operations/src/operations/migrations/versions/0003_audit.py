"""The audit trail has an end: what is older than 30 days may be deleted, nothing else ever changes."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_AUDIT = """
CREATE OR REPLACE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF OLD.at > now() - interval '30 days' THEN
      RAISE EXCEPTION 'the audit trail is written once, and kept for 30 days at least';
    END IF;
    RETURN OLD;
  END IF;
  IF OLD.outcome IS NOT NULL
     OR (NEW.entry_id, NEW.at, NEW.who, NEW.what, NEW.subject, NEW.reason)
        IS DISTINCT FROM (OLD.entry_id, OLD.at, OLD.who, OLD.what, OLD.subject, OLD.reason) THEN
    RAISE EXCEPTION 'the audit trail is written once';
  END IF;
  RETURN NEW;
END $$;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_AUDIT.replace("%", "%%"))
