"""`python -m tour.exercise`: two dead letters on the stack of `make up`, for whoever wants to put them right.

Somebody orders and pays while the operator's range of card numbers is used up, and a shop sends something that is no
order. When both are put aside the range is extended again, and the rest is the reader's.
"""

import asyncio
import secrets
import sys

import httpx

from local_stack import detached
from local_stack.paths import run_dir
from local_stack.postgres_databases import kept_url, owner_role
from local_stack.site import Site
from shared.contracts import orders_topic
from tour import troubles
from tour.buying import buying_at
from tour.expectations import UnmetError, until
from tour.orders import Paid

STACK = "dev"
_SERVICE = "provisioning"


async def exercise(site: Site, owner_url: str) -> Paid:
    """Make the trouble, in the database too, as its owner. Raises UnmetError where it does not come."""
    async with buying_at(site) as (buying, _), troubles.used_up(owner_url):
        paid = await troubles.buy(buying, f"lena.{secrets.token_hex(4)}@example.org")
        await troubles.spoil(site)
        await _put_aside(site, _SERVICE, {"key": paid.order.id})
        await _put_aside(site, "ordering", {"topic": orders_topic(troubles.SHOP)})
    return paid


async def _put_aside(site: Site, service: str, wanted: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {site.operations_keys['operator']}"}
    async with httpx.AsyncClient(base_url=site.url(service), headers=headers, trust_env=False) as client:

        async def look() -> bool | None:
            answer = await client.get("/operations/dead-letters", params={"state": "waiting", **wanted})
            return bool(answer.raise_for_status().json()["items"]) or None

        await until(look, f"{service} puts its record aside", service)


def main() -> int:
    """Returns the exit code."""
    directory = run_dir(STACK)
    if detached.running(directory) is None:
        print("The stack is not running: make up", file=sys.stderr)
        return 1
    site = Site.load(directory)
    owner_url = kept_url(site, owner_role(_SERVICE), _SERVICE)
    if owner_url is None:
        print(f"There is no database of {_SERVICE} yet: make up", file=sys.stderr)
        return 1
    try:
        paid = asyncio.run(exercise(site, owner_url))
    except UnmetError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Order {paid.order.number} is paid and was put aside: the operator's range of card numbers was used up.")
    print("A shop has sent something that is no order. The range is extended now; the rest is yours:")
    print("  .venv/bin/fulfil dead-letters list")
    return 0


if __name__ == "__main__":
    sys.exit(main())
