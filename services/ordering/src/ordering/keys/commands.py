"""`python -m ordering keys create | list | revoke`: the API keys of shops, from the shell.

The running service publishes what these commands change: the other services learn of it within a few seconds.
"""

import argparse
import asyncio
import getpass
import json
import sys
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import TypeAdapter, ValidationError

from ordering.keys import store
from ordering.keys.actions import create, revoke, view
from ordering.keys.models import ApiKeyView, NewKey
from shared.database import Database
from shared.kernel.problems import Problem, field_errors
from shared.keys.models import SCOPES
from shared.operations.answers import Reason

_REASON: TypeAdapter[str] = TypeAdapter(Reason)


def parser() -> argparse.ArgumentParser:
    """The commands and their arguments."""
    result = argparse.ArgumentParser(prog="python -m ordering keys", description="The API keys of shops.")
    commands = result.add_subparsers(dest="command", required=True)
    new = commands.add_parser("create", help="create a key; it is printed once")
    new.add_argument("storefront")
    new.add_argument("--name", required=True, help="tells the shop's keys apart: where the key is used")
    new.add_argument("--scope", action="append", choices=SCOPES, help="may be repeated; all scopes by default")
    new.add_argument("--test", action="store_true", help="a key for tests (esim_test_), in a sandbox deployment only")
    new.add_argument("--days", type=int, help="expires after so many days; never by default")
    listing = commands.add_parser("list", help="the keys, without the keys themselves")
    listing.add_argument("storefront", nargs="?")
    ending = commands.add_parser("revoke", help="revoke a key, for good")
    ending.add_argument("key_id", type=UUID)
    ending.add_argument("--reason", required=True)
    for command in (new, listing, ending):
        command.add_argument("--json", action="store_true", help="print JSON")
    return result


def run(arguments: Sequence[str], database: Database, *, shops: Collection[str], sandbox: bool) -> int:
    """Run a command; the exit code. 2: refused, with the reason on standard error."""
    given = parser().parse_args(arguments)
    try:
        asyncio.run(_run(given, database, shops, sandbox=sandbox))
    except ValidationError as error:
        return _refused([f"{item['field']}: {item['message']}" for item in field_errors(error.errors())])
    except Problem as problem:
        return _refused([f"{item['field']}: {item['message']}" for item in problem.errors] or [problem.detail])
    return 0


async def _run(given: argparse.Namespace, database: Database, shops: Collection[str], *, sandbox: bool) -> None:
    who = f"command line ({getpass.getuser()})"
    try:
        if given.command == "list":
            async with database.reading() as tx:
                _print(given, [view(tx, key) for key in await store.find_all(tx, given.storefront)])
            return
        async with database.transaction("keys") as tx:
            if given.command == "revoke":
                shown, text = view(tx, await revoke(tx, given.key_id, who, _REASON.validate_python(given.reason))), None
            else:
                text, key = await create(tx, _new_key(given, tx.now), who, shops=shops, sandbox=sandbox)
                shown = view(tx, key)
        _print(given, [shown], text)
    finally:
        await database.close()


def _new_key(given: argparse.Namespace, now: datetime) -> NewKey:
    """Raises ValidationError."""
    expires_at = None if given.days is None else now + timedelta(days=max(-1, min(given.days, 36_500)))
    return NewKey.model_validate(
        {
            "storefront": given.storefront,
            "name": given.name,
            "scopes": given.scope or SCOPES,
            "test": given.test,
            "expires_at": expires_at,
        }
    )


def _print(given: argparse.Namespace, keys: Sequence[ApiKeyView], text: str | None = None) -> None:
    if given.json:
        shown = [key.model_dump(mode="json") | ({} if text is None else {"key": text}) for key in keys]
        print(json.dumps(shown if given.command == "list" else shown[0]))  # noqa: T201 - the answer
        return
    for key in keys:
        used = (
            "not used at ordering yet"
            if key.last_used_at is None
            else f"used at ordering {key.last_used_at:%Y-%m-%d %H:%M}"
        )
        scopes = " ".join(key.scopes)
        print(f"{key.key_id}  {key.state:<7}  {key.storefront}  {key.name}  {key.prefix}…  {scopes}  {used}")  # noqa: T201
    if text is not None:
        print(f"\n{text}\n\nIt is not shown again: only its hash is stored.")  # noqa: T201 - the answer


def _refused(reasons: Sequence[str]) -> int:
    print("ordering: " + "; ".join(reasons), file=sys.stderr)  # noqa: T201 - to the person who asked
    return 2
