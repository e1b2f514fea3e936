"""Cases that people open: what was observed, asked, decided, found and paid; claims, agents and their sessions."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_FACTS = """
ALTER TABLE order_facts
  ADD COLUMN kind text,
  ADD COLUMN iccid text,
  ADD COLUMN revoked_at timestamptz,
  ADD COLUMN revoked_case_id uuid,
  ADD COLUMN revocation_refused_at timestamptz,
  ADD COLUMN revocation_refusal text,
  ADD COLUMN revocation_case_id uuid,
  ADD COLUMN expired_at timestamptz,
  ADD COLUMN expiry text,
  ADD COLUMN top_up_applied_at timestamptz,
  ADD COLUMN approved_minor bigint NOT NULL DEFAULT 0,
  ADD CONSTRAINT order_facts_refunds_within_paid CHECK (approved_minor <= COALESCE(paid_minor, 0));
-- Orders in the sequence of their payment, for whoever looks for those that were not delivered in time. Summaries of
-- page ranges cost no row its in-page updates.
CREATE INDEX order_facts_paid ON order_facts USING brin (paid_at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX order_facts_number ON order_facts (order_number);

CREATE TABLE observations (
  order_id uuid PRIMARY KEY,
  install_state text NOT NULL,
  install_source text,
  install_observed_at timestamptz,
  used_bytes bigint,
  total_bytes bigint,
  usage_source text,
  usage_observed_at timestamptz,
  installed_at timestamptz,
  activated_at timestamptz,
  deleted_at timestamptz,
  plan_ends_at timestamptz,
  asked_at timestamptz,
  observed_at timestamptz,
  unreached_at timestamptz
);

CREATE TABLE charges (
  charge_id uuid PRIMARY KEY,
  order_id uuid NOT NULL,
  amount_minor bigint NOT NULL,
  currency text NOT NULL,
  captured_at timestamptz NOT NULL,
  case_opened_at timestamptz,
  approved_minor bigint NOT NULL DEFAULT 0,
  CONSTRAINT charges_refunds_within_captured CHECK (approved_minor <= amount_minor)
);
CREATE INDEX charges_order ON charges (order_id);

CREATE TABLE contacts (
  buyer_id uuid PRIMARY KEY,
  email_hash bytea,
  phone_hash bytea,
  updated_at timestamptz,
  erased_at timestamptz
);
"""

_CASES = """
ALTER TABLE cases DROP CONSTRAINT cases_order_ground;
ALTER TABLE cases
  ADD COLUMN round integer NOT NULL DEFAULT 1,
  ADD COLUMN reason text,
  ADD COLUMN channel text NOT NULL DEFAULT 'system',
  ADD COLUMN received_at timestamptz,
  ADD COLUMN completed_at timestamptz,
  ADD COLUMN provided jsonb,
  ADD COLUMN missing jsonb,
  ADD COLUMN asked_for jsonb,
  ADD COLUMN observation_asked_at timestamptz,
  ADD COLUMN deadlines jsonb,
  ADD COLUMN due_at timestamptz,
  ADD COLUMN due_kind text,
  ADD COLUMN alarmed jsonb,
  ADD COLUMN charge_id uuid,
  ADD COLUMN decided_by text,
  ADD COLUMN finding text,
  ADD COLUMN found_at timestamptz,
  ADD COLUMN found_by text,
  ADD COLUMN restored_at timestamptz,
  ADD COLUMN fair_use_violated boolean,
  ADD COLUMN buyer_caused_delay boolean,
  ADD COLUMN legal_rule text,
  ADD COLUMN cancellation_accepted_at timestamptz,
  ADD COLUMN appealed_at timestamptz,
  ADD COLUMN appeal_of text,
  ADD COLUMN appeal_answer_by timestamptz,
  ADD COLUMN appeal_answered_at timestamptz,
  ADD COLUMN closed_at timestamptz,
  ADD COLUMN closed_as text,
  ADD COLUMN trace text,
  ADD CONSTRAINT cases_order_ground_round UNIQUE (order_id, ground, round);
UPDATE cases c SET closed_at = o.settled_at, closed_as = 'settled'
  FROM refund_outcomes o WHERE o.refund_id = c.refund_id AND o.settled_at IS NOT NULL;
CREATE UNIQUE INDEX cases_open ON cases (order_id, ground) WHERE closed_at IS NULL;
CREATE INDEX cases_due ON cases (due_at) WHERE closed_at IS NULL;

-- Whoever approves, and in whatever version of the service: never more than came in (PO 6.3).
CREATE FUNCTION count_approval() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.refund_id IS NULL OR NEW.verdict IS DISTINCT FROM 'approve' THEN
    RETURN NULL;
  END IF;
  IF TG_OP = 'UPDATE' AND OLD.refund_id IS NOT NULL THEN
    IF (OLD.refund_id, OLD.amount_minor, OLD.verdict)
        IS DISTINCT FROM (NEW.refund_id, NEW.amount_minor, NEW.verdict) THEN
      RAISE EXCEPTION 'an approval is final';
    END IF;
    RETURN NULL;
  END IF;
  IF NEW.charge_id IS NULL THEN
    UPDATE order_facts SET approved_minor = approved_minor + NEW.amount_minor WHERE order_id = NEW.order_id;
  ELSE
    UPDATE charges SET approved_minor = approved_minor + NEW.amount_minor WHERE charge_id = NEW.charge_id;
  END IF;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'nothing is known to be paid';
  END IF;
  RETURN NULL;
END $$;
UPDATE order_facts f SET approved_minor = a.total
  FROM (SELECT order_id, sum(amount_minor) AS total FROM cases WHERE verdict = 'approve' GROUP BY order_id) a
  WHERE a.order_id = f.order_id;
CREATE TRIGGER cases_count_approval AFTER INSERT OR UPDATE OF refund_id, amount_minor, verdict ON cases
  FOR EACH ROW EXECUTE FUNCTION count_approval();
"""

_RECORDS = """
CREATE FUNCTION keep_as_written() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is written once and never changed', TG_TABLE_NAME;
END $$;

CREATE TABLE decisions (
  decision_id uuid PRIMARY KEY,
  case_id uuid NOT NULL,
  order_id uuid NOT NULL,
  decided_at timestamptz NOT NULL,
  decided_by text NOT NULL,
  verdict text NOT NULL,
  policy text NOT NULL,
  facts jsonb NOT NULL,
  answer jsonb NOT NULL
);
CREATE INDEX decisions_case ON decisions (case_id, decided_at);
CREATE INDEX decisions_when ON decisions (decided_at);
CREATE TRIGGER decisions_written_once BEFORE UPDATE OR DELETE ON decisions
  FOR EACH ROW EXECUTE FUNCTION keep_as_written();

CREATE TABLE audit (
  entry_id uuid PRIMARY KEY,
  case_id uuid,
  order_id uuid,
  at timestamptz NOT NULL,
  who text NOT NULL,
  what text NOT NULL,
  detail jsonb NOT NULL
);
CREATE INDEX audit_case ON audit (case_id, at);
CREATE TRIGGER audit_written_once BEFORE UPDATE OR DELETE ON audit
  FOR EACH ROW EXECUTE FUNCTION keep_as_written();

CREATE TABLE notes (
  note_id uuid PRIMARY KEY,
  case_id uuid NOT NULL,
  order_id uuid NOT NULL,
  buyer_id uuid NOT NULL,
  at timestamptz NOT NULL,
  who text NOT NULL,
  kind text NOT NULL,
  text text NOT NULL,
  keep_until timestamptz NOT NULL
);
CREATE INDEX notes_case ON notes (case_id, at);
CREATE INDEX notes_buyer ON notes (buyer_id);
CREATE INDEX notes_end ON notes (keep_until);

CREATE TABLE claims (
  claim_id uuid PRIMARY KEY,
  order_id uuid NOT NULL,
  storefront text NOT NULL,
  buyer_id uuid NOT NULL,
  reference text NOT NULL,
  channel text NOT NULL,
  received_at timestamptz NOT NULL,
  answer_by timestamptz NOT NULL,
  answered_at timestamptz,
  answered_by text,
  alarmed_at timestamptz
);
CREATE INDEX claims_open ON claims (answer_by) WHERE answered_at IS NULL;

CREATE TABLE accounts (
  name text PRIMARY KEY,
  password_hash text NOT NULL,
  role text NOT NULL,
  created_at timestamptz NOT NULL,
  disabled_at timestamptz
);

CREATE TABLE sessions (
  token_hash bytea PRIMARY KEY,
  who text NOT NULL,
  role text NOT NULL,
  csrf text NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);

CREATE TABLE sign_in_attempts (
  attempt_id uuid PRIMARY KEY,
  subject bytea NOT NULL,
  at timestamptz NOT NULL
);
CREATE INDEX sign_in_attempts_subject ON sign_in_attempts (subject, at);

CREATE TABLE oidc_sign_ins (
  state_hash bytea PRIMARY KEY,
  nonce text NOT NULL,
  verifier text NOT NULL,
  expires_at timestamptz NOT NULL
);
"""


def upgrade() -> None:
    for statements in (_FACTS, _CASES, _RECORDS):
        op.get_bind().exec_driver_sql(statements.replace("%", "%%"))
