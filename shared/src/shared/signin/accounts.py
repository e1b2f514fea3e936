"""Local accounts, for where there is no OpenID provider: argon2id hashes, and the shell that makes them."""

import argparse
import asyncio
import getpass
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import psycopg
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from shared.database import Tx

_SHORTEST = 12
_HASHER = PasswordHasher()
#: Verified against where there is no such account, so that the answer takes as long.
_NOBODY = _HASHER.hash("nobody has this password")
_FIND = "SELECT password_hash, role FROM accounts WHERE name = :name AND disabled_at IS NULL"
_EXISTS = "SELECT 1 FROM accounts WHERE name = :name"
_ADD = """
INSERT INTO accounts (name, password_hash, role, created_at) VALUES (%s, %s, %s, now())
ON CONFLICT (name) DO UPDATE SET password_hash = EXCLUDED.password_hash, role = EXCLUDED.role, disabled_at = NULL
"""
_DISABLE = "UPDATE accounts SET disabled_at = now() WHERE name = %s AND disabled_at IS NULL"


async def role_of(tx: Tx, name: str, password: str) -> str | None:
    """The account's role where the password is right, else None."""
    row = (await tx.execute(_FIND, name=name)).one_or_none()
    right = await asyncio.to_thread(_verify, _NOBODY if row is None else row.password_hash, password)
    return None if row is None or not right else str(row.role)


async def exists(tx: Tx, name: str) -> bool:
    """Whether somebody made an account of this name, disabled or not."""
    return (await tx.execute(_EXISTS, name=name)).first() is not None


def _verify(hashed: str, password: str) -> bool:
    try:
        return _HASHER.verify(hashed, password)
    except (VerificationError, InvalidHashError):
        return False


def hashed(password: str) -> str:
    """What is stored of a password."""
    return _HASHER.hash(password)


def accounts(arguments: Sequence[str], *, service: str, kind: str, roles: Sequence[str]) -> int:
    """`python -m <service> accounts add NAME --role ROLE`, `disable NAME`, `list`; the exit code. 2: refused, and why.

    `kind` is the site's; the database is DATABASE_URL's, as for the service itself.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {service} accounts", description="People who may sign in.")
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("add", help="make an account, or give it a new password and role")
    add.add_argument("name")
    add.add_argument("--role", choices=roles, required=True)
    add.add_argument("--password-stdin", action="store_true", help="read it from standard input instead of asking")
    commands.add_parser("disable", help="end it; sessions end too").add_argument("name")
    commands.add_parser("list", help="names and roles")
    given = parser.parse_args(arguments)
    url = _database_url().replace("postgresql+psycopg://", "postgresql://")
    if not url:
        return _refused(service, f"DATABASE_URL: name the database of {service}")
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            return _run(connection, given, service, kind)
    except psycopg.OperationalError:
        return _refused(service, "DATABASE_URL: the database does not answer")


def _database_url() -> str:
    """From the environment, otherwise (in a container) from a file of the folder SECRETS_DIR."""
    if given := os.environ.get("DATABASE_URL"):
        return given
    folder = os.environ.get("SECRETS_DIR")
    file = Path(folder or ".") / "database_url"
    return file.read_text(encoding="utf-8").strip() if folder and file.is_file() else ""


def _run(
    connection: "psycopg.Connection[tuple[object, ...]]", given: argparse.Namespace, service: str, kind: str
) -> int:
    if given.command == "list":
        for name, role, disabled in connection.execute("SELECT name, role, disabled_at FROM accounts ORDER BY name"):
            print(f"{name}\t{role}\t{'disabled' if disabled else ''}".rstrip())  # noqa: T201 - the answer
        return 0
    if given.command == "disable":
        if not connection.execute(_DISABLE, (given.name,)).rowcount:
            return _refused(service, f"{given.name}: there is no such account, or it is disabled")
        connection.execute("DELETE FROM sessions WHERE who = %s", (f"{kind}:{given.name}",))
        return 0
    if not given.name.isascii() or not given.name.replace("-", "").replace(".", "").isalnum():
        return _refused(service, "name: letters, digits, dots and hyphens")
    password = sys.stdin.readline().rstrip("\n") if given.password_stdin else _asked()
    if password is None or len(password) < _SHORTEST:
        reason = f"password: at least {_SHORTEST} characters, twice the same; or on standard input, by --password-stdin"
        return _refused(service, reason)
    connection.execute(_ADD, (given.name, hashed(password), given.role))
    return 0


def _asked() -> str | None:
    try:
        password = getpass.getpass("Password: ")
        return password if getpass.getpass("Again: ") == password else None
    except EOFError:
        return None  # nobody is there to be asked


def _refused(service: str, reason: str) -> int:
    print(f"{service}: {reason}", file=sys.stderr)  # noqa: T201 - to the person who asked
    return 2
