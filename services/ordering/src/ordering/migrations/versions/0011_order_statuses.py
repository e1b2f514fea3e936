"""The status of each order, stored and indexed, so that orders can be listed by it. Adds only.

A status that is null has still to be derived from the facts (`timeline/tasks.py` does it, in batches): so it is for all
orders that exist now, and for those about which an instance of the previous release records a fact. Such an instance
knows neither the table nor `order_facts.in_status`; triggers enter its orders, and mark its facts' orders as due.

Writers of orders wait while the migration runs.
"""

from alembic import op

revision = "0011"
down_revision = "0010"

#: What looks narrower than before, and why the last release can live with it.
CONTRACT_PHASE = {
    "trigger orders.orders_enter_statuses": "refuses nothing: it enters the order into order_statuses",
    "trigger order_facts.order_facts_status_due": "refuses nothing: it marks the order's stored status as due",
}

_STATUSES = """
LOCK TABLE orders, order_facts IN SHARE ROW EXCLUSIVE MODE;

CREATE TABLE order_statuses (
  order_id uuid PRIMARY KEY,
  storefront text NOT NULL,
  plan text NOT NULL,
  placed_at timestamptz NOT NULL,
  status text
);
INSERT INTO order_statuses SELECT order_id, storefront, COALESCE(plan ->> 'id', ''), placed_at, NULL FROM orders;
CREATE INDEX order_statuses_status ON order_statuses (storefront, status, placed_at, order_id);
CREATE INDEX order_statuses_plan ON order_statuses (storefront, plan, status, placed_at, order_id);
CREATE INDEX order_statuses_due ON order_statuses (order_id) WHERE status IS NULL;
CREATE INDEX orders_newest ON orders (storefront, placed_at, order_id);
CREATE INDEX orders_iccid ON orders (iccid) WHERE iccid IS NOT NULL;
CREATE INDEX orders_plan ON orders (storefront, (plan ->> 'id'), placed_at, order_id);

ALTER TABLE order_facts ADD COLUMN in_status boolean;

-- What operators reported of an eSIM last. Null: nothing was reported since this release.
ALTER TABLE esims
  ADD COLUMN valid_until timestamptz,
  ADD COLUMN install_state text,
  ADD COLUMN install_observed_at timestamptz,
  ADD COLUMN used_bytes bigint,
  ADD COLUMN total_bytes bigint,
  ADD COLUMN usage_observed_at timestamptz,
  ADD COLUMN plan_ends_at timestamptz;
CREATE INDEX esims_order ON esims (order_id);

CREATE FUNCTION order_enters_statuses() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO order_statuses
  SELECT o.order_id, o.storefront, COALESCE(o.plan ->> 'id', ''), o.placed_at,
    CASE WHEN EXISTS (SELECT 1 FROM order_facts f WHERE f.order_id = o.order_id) THEN NULL ELSE 'placed' END
  FROM entered o ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE TRIGGER orders_enter_statuses AFTER INSERT ON orders REFERENCING NEW TABLE AS entered
  FOR EACH STATEMENT EXECUTE FUNCTION order_enters_statuses();

-- Without a condition on the stored status: the update must wait for a transaction that derives it at this moment.
CREATE FUNCTION order_status_is_due() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE order_statuses SET status = NULL WHERE order_id = NEW.order_id;
  RETURN NULL;
END $$;
CREATE TRIGGER order_facts_status_due AFTER INSERT ON order_facts
  FOR EACH ROW WHEN (NEW.in_status IS NULL) EXECUTE FUNCTION order_status_is_due();

INSERT INTO work (id, kind, key, payload, due_at, created_at)
  VALUES (gen_random_uuid(), 'derive_statuses', 'all', '{}', now(), now());
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_STATUSES)
