"""What was published of low data and of ends that approach; when an eSIM was last topped up, and its refund approved.

An eSIM whose operator answers no queries was due again at its end only: it is due earlier now, to announce that end.
Release 1.0.1 works on it: it neither reads nor writes these columns, and looks at a profile earlier than it must.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from shared.spine import timestamp

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_EARLIER = "UPDATE lives SET look_at = GREATEST(now(), look_at - interval '14 days') WHERE look_at = valid_until"


def upgrade() -> None:
    op.add_column("lives", sa.Column("thresholds", JSONB, nullable=False, server_default="[]"))
    op.add_column("lives", timestamp("announced_end"))
    op.add_column("lives", sa.Column("announced_for", sa.Text))
    op.add_column("lives", timestamp("extended_at"))
    op.add_column("lives", timestamp("refunded_at"))
    op.execute(_EARLIER)
