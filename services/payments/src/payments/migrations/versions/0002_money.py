"""The ledger, surplus captures, lapse of unpaid orders, promised dates of refunds, reconciliation, housekeeping."""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_COLUMNS = """
-- Orders that are known already get a day from now; so do those that the version before this one writes meanwhile.
ALTER TABLE payment_orders ADD COLUMN lapse_at timestamptz DEFAULT now() + interval '1 day';
ALTER TABLE payment_orders ADD COLUMN lapsed_at timestamptz;
CREATE INDEX payment_orders_lapse ON payment_orders (lapse_at);

CREATE INDEX attempts_opened ON attempts USING brin (opened_at) WITH (pages_per_range = 16);

ALTER TABLE refunds ADD COLUMN charge_id uuid;
ALTER TABLE refunds ADD COLUMN funds text;
ALTER TABLE refunds ADD COLUMN pay_by timestamptz;
ALTER TABLE refunds ADD COLUMN credited_from date;
ALTER TABLE refunds ADD COLUMN credited_at_latest date;
ALTER TABLE refunds ADD COLUMN warned_at timestamptz;
ALTER TABLE refunds ADD COLUMN missed_at timestamptz;
CREATE INDEX refunds_pay_by ON refunds (pay_by) WHERE state IN ('approved', 'calling');
"""

_TABLES = """
CREATE TABLE surplus_charges (
  charge_id uuid PRIMARY KEY,
  order_id uuid NOT NULL,
  invoice_id bigint NOT NULL UNIQUE,
  transaction_id text NOT NULL,
  amount_minor bigint NOT NULL,
  refunded_minor bigint NOT NULL DEFAULT 0,
  currency text NOT NULL,
  captured_at timestamptz NOT NULL,
  CONSTRAINT surplus_refunds_within_capture CHECK (refunded_minor >= 0 AND refunded_minor <= amount_minor)
);
CREATE INDEX surplus_charges_order ON surplus_charges (order_id);

CREATE TABLE ledger (
  order_id uuid NOT NULL,
  kind text NOT NULL,
  key text NOT NULL,
  entry_id bigint GENERATED ALWAYS AS IDENTITY,
  posted_at timestamptz NOT NULL,
  storefront text NOT NULL,
  invoice_id bigint NOT NULL,
  debit text NOT NULL,
  credit text NOT NULL,
  amount_minor bigint NOT NULL,
  currency text NOT NULL,
  CONSTRAINT ledger_pkey PRIMARY KEY (order_id, kind, key),
  CONSTRAINT ledger_amount CHECK (amount_minor > 0),
  CONSTRAINT ledger_accounts CHECK ((kind, debit, credit) IN (
    ('capture', 'bank_clearing', 'buyer_funds'),
    ('surplus', 'bank_clearing', 'duplicate_payable'),
    ('revenue', 'buyer_funds', 'revenue'),
    ('refund_promised', 'buyer_funds', 'refunds_payable'),
    ('refund_promised', 'revenue', 'refunds_payable'),
    ('refund_promised', 'duplicate_payable', 'refunds_payable'),
    ('refund_released', 'refunds_payable', 'buyer_funds'),
    ('refund_released', 'refunds_payable', 'revenue'),
    ('refund_released', 'refunds_payable', 'duplicate_payable'),
    ('refund_settled', 'refunds_payable', 'bank_clearing')))
);
CREATE INDEX ledger_posted ON ledger USING brin (posted_at) WITH (pages_per_range = 16);

CREATE TABLE ledger_imbalances (
  order_id uuid PRIMARY KEY,
  currency text NOT NULL,
  off_minor bigint NOT NULL,
  found_at timestamptz NOT NULL
);

CREATE TABLE reconciliations (
  day date PRIMARY KEY,
  started_at timestamptz NOT NULL,
  planned integer NOT NULL DEFAULT 0,
  compared integer NOT NULL DEFAULT 0,
  finished_at timestamptz
);

CREATE TABLE reconciliation_differences (
  day date NOT NULL,
  invoice_id bigint NOT NULL,
  what text NOT NULL,
  order_id uuid NOT NULL,
  ours text NOT NULL,
  banks text NOT NULL,
  found_at timestamptz NOT NULL,
  PRIMARY KEY (day, invoice_id, what)
);

CREATE TABLE housekeeping (
  name text PRIMARY KEY,
  due_at timestamptz NOT NULL,
  until timestamptz NOT NULL
);
"""

_GUARDS = """
-- What is posted stays; a mistake is corrected by another posting.
CREATE FUNCTION ledger_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'the ledger is append-only' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER ledger_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only();

-- Once per statement, however many rows: the currency is the order's, and no account of an order but bank_clearing is
-- overdrawn. Since every posting takes from one account what it gives to another, nothing can then be paid out of an
-- order that did not come in (PO 6.3). The order's row is locked first, so that two postings cannot both look before.
-- Plans are cached while the tables are small: without seqscan off they would stay with sequential scans.
CREATE FUNCTION ledger_guard() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
  IF EXISTS (SELECT 1 FROM posted p WHERE p.currency IS DISTINCT FROM
             (SELECT o.currency FROM payment_orders o WHERE o.order_id = p.order_id)) THEN
    RAISE EXCEPTION 'a posting is not in the currency of its order'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_currency';
  END IF;
  IF NOT EXISTS (SELECT 1 FROM posted WHERE debit <> 'bank_clearing') THEN
    RETURN NULL;
  END IF;
  PERFORM 1 FROM payment_orders
    WHERE order_id IN (SELECT order_id FROM posted WHERE debit <> 'bank_clearing')
    ORDER BY order_id FOR NO KEY UPDATE;
  IF EXISTS (
    SELECT 1 FROM (SELECT DISTINCT order_id FROM posted WHERE debit <> 'bank_clearing') t
    CROSS JOIN LATERAL (
      SELECT 1 FROM (
        SELECT credit AS account, amount_minor AS amount FROM ledger WHERE order_id = t.order_id
        UNION ALL SELECT debit, -amount_minor FROM ledger WHERE order_id = t.order_id) e
      WHERE account <> 'bank_clearing' GROUP BY account HAVING sum(amount) < 0 LIMIT 1) overdrawn) THEN
    RAISE EXCEPTION 'a posting would overdraw an account of its order'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_not_overdrawn';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER ledger_guard AFTER INSERT ON ledger REFERENCING NEW TABLE AS posted
  FOR EACH STATEMENT EXECUTE FUNCTION ledger_guard();
"""

#: What happened before there was a ledger. Second captures are posted by their job, which is due again.
_BACKFILL = """
INSERT INTO ledger (order_id, kind, key, posted_at, storefront, invoice_id, debit, credit, amount_minor, currency)
SELECT order_id, 'capture', captured_invoice::text, paid_at, storefront, captured_invoice, 'bank_clearing',
  'buyer_funds', captured_minor, currency
FROM payment_orders WHERE captured_minor > 0;

UPDATE refunds SET funds = 'buyer_funds' WHERE state IN ('calling', 'settled');

INSERT INTO ledger (order_id, kind, key, posted_at, storefront, invoice_id, debit, credit, amount_minor, currency)
SELECT r.order_id, 'refund_promised', r.refund_id::text, r.called_at, r.storefront, o.captured_invoice, 'buyer_funds',
  'refunds_payable', r.amount_minor, r.currency
FROM refunds r JOIN payment_orders o ON o.order_id = r.order_id WHERE r.state IN ('calling', 'settled');

INSERT INTO ledger (order_id, kind, key, posted_at, storefront, invoice_id, debit, credit, amount_minor, currency)
SELECT r.order_id, 'refund_settled', r.refund_id::text, r.ended_at, r.storefront, o.captured_invoice,
  'refunds_payable', 'bank_clearing', r.amount_minor, r.currency
FROM refunds r JOIN payment_orders o ON o.order_id = r.order_id WHERE r.state = 'settled';

INSERT INTO housekeeping (name, due_at, until)
SELECT name, now(), now() FROM unnest(ARRAY['lapse', 'promises', 'balance', 'reconcile']) AS name;
INSERT INTO housekeeping (name, due_at, until)
SELECT 'revenue', now(), COALESCE(min(posted_at), now()) FROM ledger;

UPDATE work SET state = 'due', due_at = now() WHERE kind = 'duplicate_capture' AND state = 'parked';
"""


def upgrade() -> None:
    for statements in (_COLUMNS, _TABLES, _GUARDS, _BACKFILL):
        op.get_bind().exec_driver_sql(statements)
