"""An index of the words in buyers' names, for the search of agents. Adds only.

Writers of orders wait while the migration runs.
"""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.get_bind().exec_driver_sql("CREATE INDEX buyers_name ON buyers USING gin (to_tsvector('simple', name))")
