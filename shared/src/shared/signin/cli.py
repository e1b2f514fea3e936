"""`python -m <service> accounts`: manages accounts from the shell. Each change ends that person's sessions."""

import argparse
import getpass
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import psycopg

from shared.signin.passwords import hashed
from shared.values.refusal import InvalidValueError
from shared.values.text import exact

_Connection: TypeAlias = "psycopg.Connection[tuple[object, ...]]"
_SHORTEST = 12
#: No password has this hash: the row only marks a name of the OpenID provider as disabled here.
_UNUSABLE = "!"
_ADD = """
INSERT INTO accounts (name, password_hash, role, created_at) VALUES (%s, %s, %s, now())
ON CONFLICT (name) DO UPDATE SET password_hash = EXCLUDED.password_hash, role = EXCLUDED.role, disabled_at = NULL
"""
_DISABLE = "UPDATE accounts SET disabled_at = now() WHERE name = %s AND disabled_at IS NULL"
_DISABLE_OPENID = f"""
INSERT INTO accounts (name, password_hash, role, created_at, disabled_at)
VALUES (%s, '{_UNUSABLE}', '', now(), now())
ON CONFLICT (name) DO UPDATE SET disabled_at = now() WHERE accounts.disabled_at IS NULL
"""
_ENABLE = "UPDATE accounts SET disabled_at = NULL WHERE name = %s AND disabled_at IS NOT NULL AND password_hash <> %s"
_ENABLE_OPENID = "DELETE FROM accounts WHERE name = %s AND disabled_at IS NOT NULL AND password_hash = %s"
_END_SESSIONS = "DELETE FROM sessions WHERE who = %s"


def accounts(arguments: Sequence[str], *, service: str, kind: str, roles: Sequence[str]) -> int:
    """`python -m <service> accounts add NAME --role ROLE`, `disable NAME`, `enable NAME`, `list`; the exit code.

    Exit code 2: refused, with the reason on standard error. `kind` is the site's; the database is that of DATABASE_URL.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {service} accounts", description="People who may sign in.")
    commands = parser.add_subparsers(dest="command", required=True)
    add = commands.add_parser("add", help="make an account, or give it a new password and role")
    add.add_argument("name")
    add.add_argument("--role", choices=roles, required=True)
    add.add_argument("--password-stdin", action="store_true", help="read it from standard input instead of asking")
    disable = commands.add_parser(
        "disable", help="disable an account, or a person of the OpenID provider; sessions end too"
    )
    disable.add_argument("name")
    disable.add_argument("--openid", action="store_true", help="also for a name without account and session here")
    commands.add_parser("enable", help="enable it again").add_argument("name")
    commands.add_parser("list", help="names and roles")
    given = parser.parse_args(arguments)
    url = _database_url().replace("postgresql+psycopg://", "postgresql://")
    if not url:
        return _refused(service, f"DATABASE_URL: name the database of {service}")
    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
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


def _run(connection: _Connection, given: argparse.Namespace, service: str, kind: str) -> int:
    if given.command == "list":
        for name, role, disabled in connection.execute("SELECT name, role, disabled_at FROM accounts ORDER BY name"):
            print(f"{name}\t{role}\t{'disabled' if disabled else ''}".rstrip())  # noqa: T201 - the answer
        return 0
    commands = {"add": _add, "disable": _disable, "enable": _enable}
    problem = commands[given.command](connection, given, f"{kind}:{given.name}")
    return 0 if problem is None else _refused(service, problem)


def _add(connection: _Connection, given: argparse.Namespace, who: str) -> str | None:
    """Each command returns the reason of a refusal, or None."""
    if not given.name.isascii() or not given.name.replace("-", "").replace(".", "").isalnum():
        return "name: letters, digits, dots and hyphens"
    password = sys.stdin.readline().rstrip("\r\n") if given.password_stdin else _prompt()
    if password is None and not given.password_stdin and not _terminal():
        return "password: there is no terminal; write the password to standard input and use --password-stdin"
    if password is None or len(password) < _SHORTEST:
        return f"password: at least {_SHORTEST} characters, entered twice; or on standard input with --password-stdin"
    try:
        exact(password)
    except InvalidValueError as error:
        return f"password: {error}"  # the page's form would refuse it
    connection.execute(_ADD, (given.name, hashed(password), given.role))
    connection.execute(_END_SESSIONS, (who,))
    return None


def _disable(connection: _Connection, given: argparse.Namespace, who: str) -> str | None:
    ended = connection.execute(_END_SESSIONS, (who,)).rowcount
    statement = _DISABLE_OPENID if ended or given.openid else _DISABLE
    if not connection.execute(statement, (given.name,)).rowcount:
        return f"{given.name}: there is no such account, or it is disabled (see --openid)"
    return None


def _enable(connection: _Connection, given: argparse.Namespace, _who: str) -> str | None:
    parameters = (given.name, _UNUSABLE)
    if not any(connection.execute(statement, parameters).rowcount for statement in (_ENABLE, _ENABLE_OPENID)):
        return f"{given.name}: there is no such account, or it is not disabled"
    return None


def _terminal() -> bool:
    """Whether getpass can read without an echo: from the process's terminal, or from standard input."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return sys.stdin.isatty()
    return True


def _prompt() -> str | None:
    if not _terminal():
        return None  # getpass would warn of an echo and wait for input that never arrives
    try:
        password = getpass.getpass("Password: ")
        return password if getpass.getpass("Again: ") == password else None
    except EOFError:
        return None  # the input has ended


def _refused(service: str, reason: str) -> int:
    print(f"{service}: {reason}", file=sys.stderr)  # noqa: T201 - to the person who asked
    return 2
