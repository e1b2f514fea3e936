"""Good orders that are placed all the while: hostile input must not cost one of them anything."""

import asyncio
import secrets
from collections.abc import Sequence
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
        left = {paid.order.id: paid.order for paid in self.paid}
        try:
            async with asyncio.timeout(seconds):
                while left:
                    await self._look(left)
                    await asyncio.sleep(0.5)
        except TimeoutError:
            for order in left.values():
                status = await self.buying.status(order)
                self.findings.found(_ATTACK, "did not end", f"order {order.number}", f"{status} after {seconds:.0f} s")

    async def _look(self, left: dict[str, Order]) -> None:
        for order_id, order in list(left.items()):
            if (status := await self.buying.status(order)) in _ENDED:
                self.findings.answered(_ATTACK, status)
                del left[order_id]
