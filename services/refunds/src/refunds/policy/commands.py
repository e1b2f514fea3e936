"""The commands decide, policies and replay. They need no broker and start fast."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from pydantic import ValidationError

from refunds.policy import Facts, Policy, UnknownPolicyError
from refunds.policy.models.facts import WRONG_AMOUNT
from refunds.policy.rules.policy_table import as_text, table
from refunds.policy.store import load_file, moment, policies_in
from shared.shops.faults import ShopsError

if TYPE_CHECKING:
    from refunds.policy.replay import Report


class _MalformedError(ValueError):
    """Lines of `field: reason`."""


def decide(arguments: Sequence[str]) -> int:
    """`python -m refunds decide < facts.json`: 0 and the decision as JSON, or 2 and what is wrong, field by field."""
    argparse.ArgumentParser(prog="python -m refunds decide", description=decide.__doc__).parse_args(arguments)
    try:
        facts = read_facts(sys.stdin.buffer.read())
        decision = policies_in(_shops_dir()).decide(
            facts if facts.now else facts.model_copy(update={"now": datetime.now(UTC)})
        )
    except UnknownPolicyError as error:
        return _refused(sys.stderr, [f"storefront: {error}"])
    except (_MalformedError, ShopsError) as error:
        return _refused(sys.stderr, str(error).splitlines())
    print(decision.model_dump_json(indent=2))  # noqa: T201 - the answer
    return 0


def read_facts(text: bytes) -> Facts:
    """Facts from JSON. Raises ValueError, one line per wrong field; values are not repeated."""
    try:
        value = json.loads(text.decode("utf-8"), object_pairs_hook=_once, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}: {error.msg}"
        raise _MalformedError(f"facts: not valid JSON ({place})") from None
    except (UnicodeDecodeError, RecursionError):
        raise _MalformedError("facts: not valid JSON (not UTF-8, or nested too deeply)") from None
    if not isinstance(value, dict):
        raise _MalformedError("facts: must be a JSON object")
    try:
        return Facts.model_validate(value)
    except ValidationError as error:
        raise _MalformedError("\n".join(map(_line, error.errors(include_url=False, include_input=False)))) from None


def _line(item: Any) -> str:
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        message = "is not a field of these facts"
    place = (*item["loc"], "amount") if item["type"] == WRONG_AMOUNT else item["loc"]
    return f"{'.'.join(map(str, place)) or 'facts'}: {message}"


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        raise _MalformedError(f"{next(n for n in names if names.count(n) > 1)}: is given twice")
    return value


def _no_constant(name: str) -> float:
    raise _MalformedError(f"facts: {name} is not JSON")


def _refused(stream: TextIO, lines: Sequence[str]) -> int:
    for line in lines:
        print(f"refunds: {line}", file=stream)
    return 2


def show_policies(arguments: Sequence[str]) -> int:
    """`python -m refunds policies [<storefront>[@<version>]] [--json]`: the policies as tables, in Markdown."""
    parser = argparse.ArgumentParser(prog="python -m refunds policies", description=show_policies.__doc__)
    parser.add_argument("names", nargs="*", help="storefronts, or single versions; none: all")
    parser.add_argument("--json", action="store_true", help="the data themselves")
    given = parser.parse_args(arguments)
    try:
        book = policies_in(_shops_dir())
        names = given.names or book.storefronts
        chosen = [version for name in names for version in ([book.named(name)] if "@" in name else book.versions(name))]
    except (UnknownPolicyError, ShopsError) as error:
        return _refused(sys.stderr, str(error).splitlines())
    if given.json:
        print(json.dumps([policy.model_dump(mode="json", exclude_none=True) for policy in chosen], ensure_ascii=False))  # noqa: T201 - the answer
    else:
        print("\n".join(as_text(table(policy, book)) for policy in chosen), end="")  # noqa: T201 - as above
    return 0


def replay(arguments: Sequence[str]) -> int:
    """Decide past cases again under another version of their policy, and print what would change. Writes nothing.

    Needs DATABASE_URL. Exits 2 when an argument or setting is wrong, 1 when the database cannot be read.
    """
    parser = argparse.ArgumentParser(prog="python -m refunds replay", description=replay.__doc__)
    parser.add_argument("--policy", required=True, help="<storefront>@<version>, or <shop>/policy/<version>.toml")
    parser.add_argument("--since", required=True, help="cases decided since: a day of the seller's, or a moment")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    try:
        policy = (
            load_file(Path(given.policy), _shops_dir())
            if given.policy.endswith(".toml")
            else policies_in(_shops_dir()).named(given.policy)
        )
        since = moment(given.since, policy.calendar.zone)
    except UnknownPolicyError as error:
        return _refused(sys.stderr, [f"--policy: {error}"])
    except ShopsError as error:
        return _refused(sys.stderr, [f"--policy: {line}" for line in str(error).splitlines()])
    except ValueError as error:
        return _refused(sys.stderr, [f"--since: {error}"])
    url = os.environ.get("DATABASE_URL")
    if not url:
        return _refused(sys.stderr, ["DATABASE_URL: Field required"])
    report = _replayed(url, policy, since)
    if report is None:
        _refused(sys.stderr, ["the database cannot be read; is DATABASE_URL right, and the schema migrated?"])
        return 1
    print(json.dumps(report.as_json(), indent=2) if given.json else report.as_text(), end="\n" if given.json else "")  # noqa: T201 - the answer
    return 0


def _shops_dir() -> Path:
    """As the service's setting SHOPS_DIR; these commands need no other setting."""
    return Path(os.environ.get("SHOPS_DIR", "shops"))


def _replayed(url: str, policy: Policy, since: datetime) -> "Report | None":
    """The report; None where the database cannot be read."""
    import psycopg  # noqa: PLC0415 - the other commands start without a database's libraries
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 - as above

    from refunds.policy import replay as replaying  # noqa: PLC0415 - as above
    from shared.database import Database  # noqa: PLC0415 - as above

    async def run() -> replaying.Report:
        database = Database(url)
        try:
            return await replaying.replay(database, policy, since)
        finally:
            await database.close()

    try:
        return asyncio.run(run())
    except (psycopg.Error, SQLAlchemyError, OSError):
        return None


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {"decide": decide, "policies": show_policies, "replay": replay}
