"""`python -m ordering serve | migrate | recover | keys | webhooks`."""

import sys

from ordering.settings import Settings
from shared.kernel.cli import main, read_settings


def _keys(arguments: list[str]) -> int:
    from ordering.app import build  # noqa: PLC0415 - `migrate` needs none of it
    from ordering.keys import commands  # noqa: PLC0415 - a serving process does not need it

    settings = read_settings("ordering", Settings)
    # Built and not started: its transactions insert the events, which the running service publishes.
    database = build(settings).database
    return commands.run(arguments, database, shops=settings.shops(), sandbox=settings.sandbox)


def _webhooks(arguments: list[str]) -> int:
    from ordering.app import build  # noqa: PLC0415 - as above
    from ordering.webhooks import commands  # noqa: PLC0415 - as above

    # Built and not started: the running service creates the tasks of what is due.
    return commands.run(arguments, build(read_settings("ordering", Settings)).database)


if __name__ == "__main__":
    if sys.argv[1:2] == ["keys"]:
        sys.exit(_keys(sys.argv[2:]))
    if sys.argv[1:2] == ["webhooks"]:
        sys.exit(_webhooks(sys.argv[2:]))
    main("ordering", Settings, app="ordering.app")
