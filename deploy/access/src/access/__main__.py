"""`python -m access`: write deploy/access/access.json and its README.md from the code and the shops (`make access`)."""

import argparse
import asyncio
from pathlib import Path

from access.page import page
from access.services import subscriptions
from access.table import Table, table, text
from local_stack.access import FILE
from local_stack.product import STOREFRONTS


async def current() -> Table:
    """What the code says now."""
    return table(await subscriptions(), STOREFRONTS)


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(prog="python -m access", description=__doc__)
    parser.add_argument("--into", type=Path, default=FILE.parent, help="the folder of both files (deploy/access)")
    folder: Path = parser.parse_args().into
    table = asyncio.run(current())
    folder.joinpath(FILE.name).write_text(text(table), encoding="utf-8")
    folder.joinpath("README.md").write_text(page(table), encoding="utf-8")


if __name__ == "__main__":
    main()
