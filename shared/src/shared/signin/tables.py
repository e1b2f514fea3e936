"""The tables of sign-in, made into a service's own metadata."""

from collections.abc import Mapping

from sqlalchemy import Column, Index, LargeBinary, MetaData, Table, Text, Uuid

from shared.spine import timestamp

#: What nobody needs any more; `:now` is the moment. Run now and then.
EXPIRED = (
    "DELETE FROM sessions WHERE expires_at < :now",
    "DELETE FROM oidc_sign_ins WHERE expires_at < :now",
    "DELETE FROM sign_in_attempts WHERE at < CAST(:now AS timestamptz) - interval '1 day'",
)


def sign_in_tables(metadata: MetaData) -> Mapping[str, Table]:
    """Define them in `metadata`; by name."""
    #: People who may sign in where there is no OpenID Connect. `password_hash` is argon2id's own text.
    accounts = Table(
        "accounts",
        metadata,
        Column("name", Text, primary_key=True),
        Column("password_hash", Text, nullable=False),
        Column("role", Text, nullable=False),
        timestamp("created_at", nullable=False),
        timestamp("disabled_at"),
    )
    #: Who is signed in. The cookie's token is known by its hash only.
    sessions = Table(
        "sessions",
        metadata,
        Column("token_hash", LargeBinary, primary_key=True),
        Column("who", Text, nullable=False),
        Column("role", Text, nullable=False),
        Column("csrf", Text, nullable=False),
        timestamp("created_at", nullable=False),
        timestamp("expires_at", nullable=False),
    )
    #: Failed sign-ins, by hashed name and by hashed address: too many of either, and it must wait.
    attempts = Table(
        "sign_in_attempts",
        metadata,
        Column("attempt_id", Uuid, primary_key=True),
        Column("subject", LargeBinary, nullable=False),
        timestamp("at", nullable=False),
        Index("sign_in_attempts_subject", "subject", "at"),
    )
    #: Sign-ins on their way through the OpenID provider.
    oidc = Table(
        "oidc_sign_ins",
        metadata,
        Column("state_hash", LargeBinary, primary_key=True),
        Column("nonce", Text, nullable=False),
        Column("verifier", Text, nullable=False),
        timestamp("expires_at", nullable=False),
    )
    return {table.name: table for table in (accounts, sessions, attempts, oidc)}


#: The same, for statements.
TABLES = sign_in_tables(MetaData())


def upgrade_v1(op: object) -> None:
    """Create the tables, first version. `op` is Alembic's operations module."""
    bind = op.get_bind()  # type: ignore[attr-defined] # Alembic's `op` is a proxy module
    TABLES["accounts"].metadata.create_all(bind, checkfirst=False)
