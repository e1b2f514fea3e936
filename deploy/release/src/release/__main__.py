"""`python -m release interfaces | ship | past-tests` (`make interfaces`, `make release`, `make test-past`)."""

import argparse
import asyncio
import sys

from release import interfaces, past_tests
from release.history import NAMES
from release.ship import RefusedError, ship


def main() -> None:
    """Read the command line. Exits 1 where a release is refused."""
    parser = argparse.ArgumentParser(prog="python -m release")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("interfaces", help="write services/<name>/interfaces/{openapi,asyncapi}.json from the code")
    shipping = commands.add_parser("ship", help="check, version and tag one service; nothing is pushed")
    shipping.add_argument("service", choices=NAMES)
    shipping.add_argument("version", help="as in Semantic Versioning, such as 1.1.0")
    shipping.add_argument("--dry-run", action="store_true", help="everything but the commits and the tag")
    past = commands.add_parser("past-tests", help="the last releases' own tests on databases of now")
    past.add_argument("service", nargs="?", choices=NAMES, help="one; without: all of them")
    given = parser.parse_args()
    if given.command == "past-tests":
        sys.exit(past_tests.main([given.service] if given.service else NAMES))
    if given.command == "interfaces":
        asyncio.run(interfaces.write())
        return
    try:
        ship(given.service, given.version, dry_run=given.dry_run)
    except RefusedError as error:
        for reason in error.args:
            print(f"refused: {reason}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
