"""When an order that was held was released to be paid. Adds only.

Released orders that are known already: their time stands in the stored facts.
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_RELEASED = """
ALTER TABLE orders ADD COLUMN released_at timestamptz;
UPDATE orders o SET released_at = f.at
FROM (SELECT order_id, min(at) AS at FROM facts WHERE topic = 'ordering.order-released' GROUP BY order_id) f
WHERE f.order_id = o.order_id;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_RELEASED)
