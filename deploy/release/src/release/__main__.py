"""`python -m release interfaces`: write the documents of the interfaces (`make interfaces`)."""

import argparse
import asyncio

from release import interfaces


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m release")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("interfaces", help="write services/<name>/interfaces/{openapi,asyncapi}.json from the code")
    parser.parse_args()
    asyncio.run(interfaces.write())


if __name__ == "__main__":
    main()
