"""`python -m <service> serve | migrate | recover`: the commands that every service has."""

import argparse
import asyncio
import gc
import os
import sys
from collections.abc import Sequence
from datetime import datetime
from importlib import import_module
from typing import NoReturn, TypeVar

from pydantic import ValidationError

from shared.kernel import migrations
from shared.kernel.settings import ServiceSettings
from shared.shops.faults import ShopsError
from shared.telemetry import logging
from shared.values.moment import in_bounds

S = TypeVar("S", bound=ServiceSettings)


def main(name: str, settings_class: type[S], *, app: str) -> None:
    """Read the command line and the environment, then do it. Exits 2 when something there is wrong.

    `app` names the module whose `build(settings)` makes the service. `migrate` does not import it: it takes a second.
    """
    parser = argparse.ArgumentParser(prog=f"python -m {name}")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="run the service")
    commands.add_parser("migrate", help="prepare its database")
    recovering = commands.add_parser("recover", help="after its database was put back: read again what was lost")
    recovering.add_argument("--since", type=_moment, required=True, help="before the backup: 2026-11-30T13:00:00Z")
    arguments = parser.parse_args()
    command = arguments.command
    settings = read_settings(name, settings_class)
    logging.configure(name, settings.log_level)
    if command == "migrate":
        # Alembic and the admin client are large; a serving process does not load them.
        from shared.messaging.topics import create_topics, owned_topics  # noqa: PLC0415 - see above

        try:
            shops = settings.shops()
        except ShopsError as error:
            _refuse(name, str(error).splitlines())
        migrations.upgrade(name, settings.database_url)
        create_topics(
            settings.kafka,
            owned_topics(name, shops),
            prefix=settings.topic_prefix,
            partitions=settings.topic_partitions,
            replication=settings.topic_replication,
        )
        return
    try:
        if command == "recover":
            _recover(name, app, settings, arguments.since)
        else:
            _run(app, settings)
    except ShopsError as error:
        _refuse(name, str(error).splitlines())


def _moment(text: str) -> datetime:
    try:
        return in_bounds(datetime.fromisoformat(text))
    except ValueError:
        raise argparse.ArgumentTypeError("a moment with its time zone: 2026-11-30T13:00:00Z") from None


def _recover(name: str, app: str, settings: ServiceSettings, since: datetime) -> None:
    from shared.recovery.models import RecoveryRefusedError  # noqa: PLC0415 - a serving process does not need it
    from shared.recovery.run import recover  # noqa: PLC0415 - as above

    def say(line: str) -> None:
        print(f"{name}: {line}", flush=True)  # noqa: T201 - to the person who started it

    async def run() -> None:
        await recover(import_module(app).build(settings), since, say)

    try:
        asyncio.run(run())
    except RecoveryRefusedError as error:
        _refuse(name, str(error).splitlines())
    say("recovered; start it")


def _refuse(name: str, lines: Sequence[str]) -> NoReturn:
    for line in lines:
        print(f"{name}: {line}", file=sys.stderr)  # noqa: T201 - to the person who started it
    sys.exit(2)


def read_settings(name: str, settings_class: type[S]) -> S:
    """The settings of this process. Exits 2 when one is wrong, with the reasons on standard error."""
    try:
        # Containers get secrets as files: one per setting, named like it.
        return settings_class(_secrets_dir=os.environ.get("SECRETS_DIR"))
    except ValidationError as error:
        lines = []
        for item in error.errors(include_url=False, include_input=False):
            variable = "_".join(map(str, item["loc"])).upper()
            place = f"{variable}: " if variable else ""
            lines.append(f"{place}{item['msg']}")
        _refuse(name, lines)


def _run(app: str, settings: ServiceSettings) -> None:
    # What is imported and built is never freed. The collector would scan it again and again meanwhile, for a fifth of
    # the processor time; afterwards it need not scan it at all, nor run after every few hundred objects.
    gc.disable()
    build = import_module(app).build

    async def serve() -> None:
        service = build(settings)
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)
        gc.enable()
        await service.serve()

    try:
        import uvloop  # noqa: PLC0415 - not available on every platform
    except ImportError:
        asyncio.run(serve())
    else:
        uvloop.run(serve())
