"""`python -m ordering serve | migrate | keys`."""

import sys

from ordering.app import build
from ordering.settings import Settings
from shared.kernel.cli import main, read_settings


def _keys(arguments: list[str]) -> int:
    from ordering.keys import commands  # noqa: PLC0415 - a serving process does not need it

    settings = read_settings("ordering", Settings)
    # Built and not started: its transactions insert the events, which the running service publishes.
    database = build(settings).database
    return commands.run(arguments, database, shops=settings.shops(), sandbox=settings.sandbox)


if __name__ == "__main__":
    if sys.argv[1:2] == ["keys"]:
        sys.exit(_keys(sys.argv[2:]))
    main("ordering", Settings, build)
