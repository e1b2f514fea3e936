"""An eSIM that nobody activates is valid until the end of its last day at the storefront (RC 7).

The mails that were sent named that day; what was stored ended at the hour of the purchase. Release 1.0.1 works on it.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ROUND_UP = """
UPDATE lives l
SET valid_until = (date_trunc('day', l.valid_until AT TIME ZONE s.zone) + interval '1 day') AT TIME ZONE s.zone
                  - interval '1 microsecond'
FROM (SELECT order_id, CASE storefront WHEN 'qazaq-esim' THEN 'Asia/Almaty' WHEN 'esimka' THEN 'Asia/Tbilisi'
             ELSE 'UTC' END AS zone FROM profiles) AS s
WHERE s.order_id = l.order_id AND l.valid_until IS NOT NULL AND l.expired_at IS NULL AND l.revoked_at IS NULL
"""


def upgrade() -> None:
    op.execute(_ROUND_UP)
