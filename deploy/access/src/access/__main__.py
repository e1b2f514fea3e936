"""`python -m access`: write deploy/access/access.json and its README.md from the code (`make access`)."""

import argparse
import asyncio

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
    argparse.ArgumentParser(prog="python -m access", description=__doc__).parse_args()
    found = asyncio.run(current())
    FILE.write_text(text(found), encoding="utf-8")
    FILE.with_name("README.md").write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    main()
