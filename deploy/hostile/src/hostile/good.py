"""Good orders that are placed all the while: hostile input must not cost one of them anything."""

import asyncio
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from hostile.findings import Findings
from tour.buying import Buying
from tour.expectations import UnmetError
from tour.orders import Buyer, Order, Paid

_ATTACK = "good orders"
ENDED = frozenset({"delivered", "refunded"})


@dataclass(frozen=True, slots=True)
class AwaitedOrder:
    """An order that has to end in one of the states `ends`. `fault`: what was done to it, as JSON."""

    order: Order
    ends: frozenset[str] = ENDED
    fault: str = ""


@dataclass
class GoodOrders:
    """Buys at a steady pace until cancelled. `mark` is in every name and mailbox, to search logs for."""

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

    async def end_regularly(self, seconds: float) -> None:
        """Wait until all are delivered or refunded; those that are not are findings."""
        await wait_for_ends(
            self.buying, self.findings, _ATTACK, [AwaitedOrder(paid.order) for paid in self.paid], seconds
        )


async def wait_for_ends(
    buying: Buying, findings: Findings, attack: str, orders: Iterable[AwaitedOrder], seconds: float
) -> None:
    """Wait until the orders have ended; those that have not are findings."""
    left = {awaited.order.id: awaited for awaited in orders}
    try:
        async with asyncio.timeout(seconds):
            while left:
                for order_id, awaited in list(left.items()):
                    status = await buying.status(awaited.order)
                    if status in awaited.ends:
                        findings.answered(attack, status)
                        del left[order_id]
                await asyncio.sleep(0.5)
    except TimeoutError:
        for awaited in left.values():
            status = await buying.status(awaited.order)
            given = f"order {awaited.order.number} {awaited.fault}"
            findings.found(attack, "did not end", given, f"{status} after {seconds:.0f} s")
