"""The tables of sign-in, defined in a service's own metadata."""

from collections.abc import Mapping

from sqlalchemy import Column, Index, LargeBinary, MetaData, Table, Text, Uuid, text

from shared.core_tables import timestamp

#: Statements that delete expired rows at `:now`; a service runs them regularly.
EXPIRED = (
    "DELETE FROM sessions WHERE expires_at < :now",
    "DELETE FROM oidc_sign_ins WHERE expires_at < :now",
    "DELETE FROM sign_in_attempts WHERE at < CAST(:now AS timestamptz) - interval '1 day'",
    "DELETE FROM sign_in_devices WHERE expires_at < :now",
)


def sign_in_tables(metadata: MetaData) -> Mapping[str, Table]:
    """Define them in `metadata`; by name."""
    #: Accounts for sign-in without OpenID Connect. `password_hash` is the text form of argon2id. A row without a usable
    #: hash only marks a name of the OpenID provider as disabled here.
    accounts = Table(
        "accounts",
        metadata,
        Column("name", Text, primary_key=True),
        Column("password_hash", Text, nullable=False),
        Column("role", Text, nullable=False),
        timestamp("created_at", nullable=False),
        timestamp("disabled_at"),
    )
    #: Sessions. The cookie's token is stored as its hash. `means`: `password` or `openid`. `credential`:
    #: SHA-256 of the account's `password_hash` at sign-in; another password ends the session.
    sessions = Table(
        "sessions",
        metadata,
        Column("token_hash", LargeBinary, primary_key=True),
        Column("who", Text, nullable=False),
        Column("role", Text, nullable=False),
        Column("csrf", Text, nullable=False),
        timestamp("created_at", nullable=False),
        timestamp("expires_at", nullable=False),
        Column("means", Text, nullable=False, server_default=text("'password'")),
        Column("credential", LargeBinary),
    )
    #: Sign-ins that failed or are being checked, by hashed subject (`limits.py`).
    attempts = Table(
        "sign_in_attempts",
        metadata,
        Column("attempt_id", Uuid, primary_key=True),
        Column("subject", LargeBinary, nullable=False),
        timestamp("at", nullable=False),
        Index("sign_in_attempts_subject", "subject", "at"),
    )
    #: Browsers in which a person has signed in: their next attempts are counted separately.
    devices = Table(
        "sign_in_devices",
        metadata,
        Column("token_hash", LargeBinary, primary_key=True),
        Column("name", Text, nullable=False),
        timestamp("expires_at", nullable=False),
    )
    #: Sign-ins that have not returned from the OpenID provider yet.
    oidc = Table(
        "oidc_sign_ins",
        metadata,
        Column("state_hash", LargeBinary, primary_key=True),
        Column("nonce", Text, nullable=False),
        Column("verifier", Text, nullable=False),
        timestamp("expires_at", nullable=False),
    )
    return {table.name: table for table in (accounts, sessions, attempts, devices, oidc)}


#: The same, for statements.
TABLES = sign_in_tables(MetaData())


_V1 = """
CREATE TABLE accounts (
  name text PRIMARY KEY,
  password_hash text NOT NULL,
  role text NOT NULL,
  created_at timestamptz NOT NULL,
  disabled_at timestamptz
);
CREATE TABLE sessions (
  token_hash bytea PRIMARY KEY,
  who text NOT NULL,
  role text NOT NULL,
  csrf text NOT NULL,
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE TABLE sign_in_attempts (attempt_id uuid PRIMARY KEY, subject bytea NOT NULL, at timestamptz NOT NULL);
CREATE INDEX sign_in_attempts_subject ON sign_in_attempts (subject, at);
CREATE TABLE oidc_sign_ins (
  state_hash bytea PRIMARY KEY,
  nonce text NOT NULL,
  verifier text NOT NULL,
  expires_at timestamptz NOT NULL
);
"""

#: Earlier sessions do not hold the password that began them: they end, and people sign in again.
_V2 = """
ALTER TABLE sessions ADD COLUMN means text NOT NULL DEFAULT 'password', ADD COLUMN credential bytea;
DELETE FROM sessions;
CREATE TABLE sign_in_devices (token_hash bytea PRIMARY KEY, name text NOT NULL, expires_at timestamptz NOT NULL);
"""


def upgrade_v1(op: object) -> None:
    """Create the tables, first version. `op` is Alembic's operations module."""
    op.get_bind().exec_driver_sql(_V1)  # type: ignore[attr-defined] # Alembic's `op` is a proxy module


def upgrade_v2(op: object) -> None:
    """Tie sessions to the present state of the account, and remember browsers. `op` is Alembic's operations module."""
    op.get_bind().exec_driver_sql(_V2)  # type: ignore[attr-defined] # as above
