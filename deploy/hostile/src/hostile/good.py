"""Good orders that are placed all the while: hostile input must not cost one of them anything."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hostile.findings import Findings
from tour.buying import Buying
from tour.expectations import UnmetError
from tour.orders import Buyer, Order, Paid

_ATTACK = "good orders"
_ENDED = frozenset({"delivered", "refunded"})


@dataclass
class GoodOrders:
    """Buys at a steady pace until told to stop. `mark` is in every name and mailbox, to search logs for."""

    buying: Buying
    findings: Findings
    shops: Sequence[str]
    paid: list[Paid]
    mark: str = field(default_factory=lambda: f"kanareika{secrets.token_hex(6)}")

    async def run(self, every_seconds: float) -> None:
        """Until cancelled."""
        number = 0
        while True:
            number += 1
            await self._buy(self.shops[number % len(self.shops)], number)
            await asyncio.sleep(every_seconds)

    async def _buy(self, slug: str, number: int) -> None:
        buyer = Buyer(f"Zhanar {self.mark.title()}", f"{self.mark}.{number}@buyers.example", f"+7701{number:07d}", "en")
        try:
            shop = await self.buying.shop(slug)
            order = await self.buying.order(slug, shop.plans[0], buyer)
            self.paid.append(await self.buying.pay(await self.buying.page(order)))
        except UnmetError as error:
            self.findings.found(_ATTACK, "could not be bought", f"order {number} at {slug}", str(error))
        else:
            self.findings.answered(_ATTACK, "paid")

    async def end_well(self, seconds: float) -> None:
        """Wait until all are delivered or refunded; those that are not are findings."""
        await wait_for_ends(
            self.buying, self.findings, _ATTACK, {one.order.id: (one.order, "") for one in self.paid}, seconds
        )


async def wait_for_ends(
    buying: Buying,
    findings: Findings,
    attack: str,
    orders: Mapping[str, tuple[Order, str]],
    seconds: float,
    expected: Mapping[str, frozenset[str]] | None = None,
) -> None:
    """Wait until the orders have ended, as `expected` by id (delivered or refunded); those that have not are findings.

    `orders`: by id, each with what was done to it.
    """
    left = dict(orders)
    try:
        async with asyncio.timeout(seconds):
            while left:
                for order_id, (order, _) in list(left.items()):
                    status = await buying.status(order)
                    if status in (expected or {}).get(order_id, _ENDED):
                        findings.answered(attack, status)
                        del left[order_id]
                await asyncio.sleep(0.5)
    except TimeoutError:
        for order, done in left.values():
            status = await buying.status(order)
            findings.found(attack, "did not end", f"order {order.number} {done}", f"{status} after {seconds:.0f} s")
