"""What became of refused refunds: further attempts, what is still owed, and what agents did."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TABLES = """
ALTER TABLE refund_outcomes
  ADD COLUMN failed_attempt integer,
  ADD COLUMN retried_attempt integer,
  ADD COLUMN left_minor bigint,
  ADD COLUMN last_failure text,
  ADD COLUMN bank_code integer,
  ADD COLUMN last_failed_at timestamptz;

CREATE TABLE refund_actions (
  action_id uuid PRIMARY KEY,
  refund_id uuid NOT NULL,
  case_id uuid NOT NULL,
  order_id uuid NOT NULL,
  kind text NOT NULL,
  requested_by text NOT NULL,
  requested_at timestamptz NOT NULL,
  amount_minor bigint,
  currency text,
  way text,
  reference text,
  answered_at timestamptz,
  accepted boolean,
  refusal text,
  decision_id uuid,
  decided_by text,
  decided_at timestamptz,
  confirmed boolean,
  decision_answered_at timestamptz,
  decision_accepted boolean,
  decision_refusal text,
  ended_at timestamptz,
  CONSTRAINT refund_action_kind CHECK (kind IN ('retry', 'hand_payment')),
  CONSTRAINT refund_action_amount CHECK (kind = 'retry' OR amount_minor > 0),
  CONSTRAINT refund_action_second_person CHECK (decided_by IS NULL OR decided_by <> requested_by),
  CONSTRAINT refund_actions_decision UNIQUE (decision_id)
);
CREATE UNIQUE INDEX refund_actions_one_open ON refund_actions (refund_id) WHERE ended_at IS NULL;
CREATE INDEX refund_actions_case ON refund_actions (case_id, requested_at);
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_TABLES)
