"""Indexes of companies by number and by the words of their names, for the search of agents. Adds only.

ANALYZE leaves their contents out, as it does the column's. Writers of orders wait while the migration runs.
"""

from alembic import op

revision = "0017"
down_revision = "0016"

_INDEXES = """
CREATE INDEX buyers_company_number ON buyers ((company ->> 'number')) WHERE company IS NOT NULL;
CREATE INDEX buyers_company_name ON buyers USING gin (to_tsvector('simple', company ->> 'name'))
  WHERE company IS NOT NULL;
ALTER INDEX buyers_company_number ALTER COLUMN 1 SET STATISTICS 0;
ALTER INDEX buyers_company_name ALTER COLUMN 1 SET STATISTICS 0;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_INDEXES)
