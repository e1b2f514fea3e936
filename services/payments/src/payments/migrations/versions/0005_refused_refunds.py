"""Refunds that the bank refused: further attempts, and payments by hand that a second person confirms."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

#: What looks narrower than before, and why the last release can live with it.
CONTRACT_PHASE = {
    "constraint ledger.ledger_accounts": "takes every row that it took, and three kinds of postings more",
    "constraint refunds.hand_payments_within_refund": "hand_minor is 0 in every row that the release writes",
    "trigger refunds.refused_refund_guard": "acts where a refused refund goes on, which the release never does",
}

_COLUMNS = """
ALTER TABLE refunds ADD COLUMN attempt integer NOT NULL DEFAULT 1;
ALTER TABLE refunds ADD COLUMN bank_code integer;
ALTER TABLE refunds ADD COLUMN refused_at timestamptz;
ALTER TABLE refunds ADD COLUMN hand_minor bigint NOT NULL DEFAULT 0;
ALTER TABLE refunds ADD CONSTRAINT hand_payments_within_refund CHECK (hand_minor >= 0 AND hand_minor <= amount_minor);
UPDATE refunds SET refused_at = ended_at WHERE state = 'failed';
CREATE INDEX refunds_refused ON refunds (refused_at) WHERE state = 'failed';

ALTER TABLE ledger DROP CONSTRAINT ledger_accounts;
ALTER TABLE ledger ADD CONSTRAINT ledger_accounts CHECK ((kind, debit, credit) IN (
    ('capture', 'bank_clearing', 'buyer_funds'),
    ('surplus', 'bank_clearing', 'duplicate_payable'),
    ('revenue', 'buyer_funds', 'revenue'),
    ('refund_promised', 'buyer_funds', 'refunds_payable'),
    ('refund_promised', 'revenue', 'refunds_payable'),
    ('refund_promised', 'duplicate_payable', 'refunds_payable'),
    ('refund_released', 'refunds_payable', 'buyer_funds'),
    ('refund_released', 'refunds_payable', 'revenue'),
    ('refund_released', 'refunds_payable', 'duplicate_payable'),
    ('refund_settled', 'refunds_payable', 'bank_clearing'),
    ('hand_promised', 'buyer_funds', 'refunds_payable'),
    ('hand_promised', 'revenue', 'refunds_payable'),
    ('hand_promised', 'duplicate_payable', 'refunds_payable'),
    ('hand_released', 'refunds_payable', 'buyer_funds'),
    ('hand_released', 'refunds_payable', 'revenue'),
    ('hand_released', 'refunds_payable', 'duplicate_payable'),
    ('hand_paid', 'refunds_payable', 'hand_payouts'))) NOT VALID;
ALTER TABLE ledger VALIDATE CONSTRAINT ledger_accounts;
"""

_TABLES = """
CREATE TABLE hand_payments (
  payment_id uuid PRIMARY KEY,
  refund_id uuid NOT NULL,
  order_id uuid NOT NULL,
  amount_minor bigint NOT NULL,
  currency text NOT NULL,
  way text NOT NULL,
  reference text NOT NULL,
  funds text NOT NULL,
  state text NOT NULL,
  recorded_by uuid NOT NULL,
  recorded_at timestamptz NOT NULL,
  decision_id uuid,
  decided_by uuid,
  decided_at timestamptz,
  ended_at timestamptz,
  refusal text,
  CONSTRAINT hand_payment_is_positive CHECK (amount_minor > 0),
  CONSTRAINT hand_payment_state CHECK (state IN ('recorded', 'confirming', 'confirmed', 'rejected', 'refused')),
  CONSTRAINT hand_payment_second_person CHECK (decided_by IS NULL OR decided_by <> recorded_by),
  CONSTRAINT hand_payment_decided CHECK (state = 'recorded' OR (decided_by IS NOT NULL AND decided_at IS NOT NULL))
);
CREATE UNIQUE INDEX hand_payments_one_open ON hand_payments (refund_id) WHERE state IN ('recorded', 'confirming');
CREATE INDEX hand_payments_refund ON hand_payments (refund_id);

CREATE TABLE refund_actions (
  action_id uuid PRIMARY KEY,
  refund_id uuid NOT NULL,
  kind text NOT NULL,
  asked_by uuid NOT NULL,
  answered_at timestamptz NOT NULL,
  refusal text
);
CREATE INDEX refund_actions_refund ON refund_actions (refund_id);
"""

_GUARDS = """
-- Money leaves by hand only while the bank has refused: not while a call is under way or its outcome is unknown, and
-- not after the bank has paid. The refund's row is locked, so an attempt and a payment by hand take turns.
CREATE FUNCTION hand_payment_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE refund refunds%%ROWTYPE;
BEGIN
  IF TG_OP = 'UPDATE' AND (OLD.state IN ('confirmed', 'rejected', 'refused')
      OR (OLD.payment_id, OLD.refund_id, OLD.order_id, OLD.amount_minor, OLD.currency, OLD.way, OLD.reference,
          OLD.recorded_by)
        IS DISTINCT FROM (NEW.payment_id, NEW.refund_id, NEW.order_id, NEW.amount_minor, NEW.currency, NEW.way,
          NEW.reference, NEW.recorded_by)) THEN
    RAISE EXCEPTION 'what was recorded of a payment by hand stays as it is'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'hand_payment_stays';
  END IF;
  SELECT * INTO refund FROM refunds WHERE refund_id = NEW.refund_id FOR UPDATE;
  IF NEW.state IN ('recorded', 'confirming', 'confirmed') AND refund.state IS DISTINCT FROM 'failed' THEN
    RAISE EXCEPTION 'a refund is paid by hand only while the bank has refused it'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'hand_payment_of_a_refused_refund';
  END IF;
  IF NEW.currency IS DISTINCT FROM refund.currency OR NEW.order_id IS DISTINCT FROM refund.order_id THEN
    RAISE EXCEPTION 'a payment by hand is of its refund''s order and currency'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'hand_payment_of_its_refund';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER hand_payment_guard BEFORE INSERT OR UPDATE ON hand_payments
  FOR EACH ROW EXECUTE FUNCTION hand_payment_guard();

CREATE FUNCTION hand_payment_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'what was recorded of a payment by hand stays as it is'
    USING ERRCODE = 'check_violation', CONSTRAINT = 'hand_payment_stays';
END $$;
CREATE TRIGGER hand_payment_stays BEFORE DELETE OR TRUNCATE ON hand_payments
  FOR EACH STATEMENT EXECUTE FUNCTION hand_payment_stays();

-- How much of a refund is paid by hand, or about to be: a CHECK keeps it within the refund, whoever writes.
CREATE FUNCTION hand_payment_sum() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE refunds SET hand_minor = (
    SELECT COALESCE(sum(amount_minor), 0) FROM hand_payments
    WHERE refund_id = NEW.refund_id AND state IN ('recorded', 'confirming', 'confirmed'))
  WHERE refund_id = NEW.refund_id;
  RETURN NULL;
END $$;
CREATE TRIGGER hand_payment_sum AFTER INSERT OR UPDATE OF state ON hand_payments
  FOR EACH ROW EXECUTE FUNCTION hand_payment_sum();

CREATE FUNCTION refused_refund_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state = 'paid_by_hand' THEN
    IF (SELECT COALESCE(sum(amount_minor), 0) FROM hand_payments
        WHERE refund_id = NEW.refund_id AND state = 'confirmed') <> NEW.amount_minor THEN
      RAISE EXCEPTION 'only confirmed payments end a refund by hand'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'refund_paid_by_hand';
    END IF;
  ELSIF EXISTS (SELECT 1 FROM hand_payments
                WHERE refund_id = NEW.refund_id AND state IN ('recorded', 'confirming')) THEN
    RAISE EXCEPTION 'the bank is not asked for a refund that a person is paying'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'refund_is_paid_by_hand';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER refused_refund_guard BEFORE UPDATE OF state ON refunds
  FOR EACH ROW WHEN (OLD.state = 'failed' AND NEW.state <> 'failed') EXECUTE FUNCTION refused_refund_guard();
"""


def upgrade() -> None:
    for statements in (_COLUMNS, _TABLES, _GUARDS):
        op.get_bind().exec_driver_sql(statements)
