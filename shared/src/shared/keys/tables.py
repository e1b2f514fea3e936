"""The table of API keys, defined in the metadata of ordering and of each service that shops call."""

from sqlalchemy import ARRAY, Column, Index, LargeBinary, MetaData, Table, Text, Uuid, text

from shared.core_tables import timestamp


def api_keys_table(metadata: MetaData) -> Table:
    """Define it in `metadata`.

    `name`, `prefix`, `created_by`, `revoked_by`: in ordering only; the others store what the topic says.
    `hash`: SHA-256. `last_used_at`: in this service, to the minute. Rows stay, so that a revoked key is refused as
    revoked.
    """
    return Table(
        "api_keys",
        metadata,
        Column("key_id", Uuid, primary_key=True),
        Column("storefront", Text, nullable=False),
        Column("name", Text),
        Column("prefix", Text),
        Column("hash", LargeBinary, nullable=False),
        Column("scopes", ARRAY(Text), nullable=False),
        timestamp("created_at", nullable=False),
        Column("created_by", Text),
        timestamp("expires_at"),
        timestamp("revoked_at"),
        Column("revoked_by", Text),
        timestamp("last_used_at"),
        Index("api_keys_hash", "hash", unique=True),
        # A name tells a shop's keys apart; after a revocation it may be used again.
        Index("api_keys_name", "storefront", "name", unique=True, postgresql_where=text("revoked_at IS NULL")),
    )


#: The same, for statements.
API_KEYS = api_keys_table(MetaData())

_V1 = """
CREATE TABLE api_keys (
  key_id uuid PRIMARY KEY,
  storefront text NOT NULL,
  name text,
  prefix text,
  hash bytea NOT NULL,
  scopes text[] NOT NULL,
  created_at timestamptz NOT NULL,
  created_by text,
  expires_at timestamptz,
  revoked_at timestamptz,
  revoked_by text,
  last_used_at timestamptz
);
CREATE UNIQUE INDEX api_keys_hash ON api_keys (hash);
CREATE UNIQUE INDEX api_keys_name ON api_keys (storefront, name) WHERE revoked_at IS NULL;
"""


def upgrade_v1(op: object) -> None:
    """Create the table. `op` is Alembic's operations module."""
    op.get_bind().exec_driver_sql(_V1)  # type: ignore[attr-defined] # Alembic's `op` is a proxy module
