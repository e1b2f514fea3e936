"""I14: what a stranger submits, interleaved with the victim's requests, changes nothing of the victim's data."""

import random
import unicodedata
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.ordering.tests.contact.conftest import Order, Person, Way, World

SHOPS = ("esimka", "e-sim-onl")
WAYS: tuple["Way", ...] = ("http", "kafka")
KINDS = ("export", "block", "unblock", "erase")
STEPS = 14


class Play:
    """One interleaving, repeatable by its seed."""

    def __init__(self, world: "World", victim: "Person", stranger: "Person", seed: int) -> None:
        self.world, self.victim, self.stranger = world, victim, stranger
        self.chance = random.Random(seed)  # noqa: S311 - not for secrets
        self.log: list[str] = []
        self.pending: list[tuple[Order, httpx.Response]] = []

    def spelling(self) -> str:
        address = self.victim.email
        forms = (address, address.lower(), address.title(), unicodedata.normalize("NFD", address))
        return str(self.chance.choice(forms))

    async def run(self) -> None:
        await self.world.order(self.victim.email, self.victim.phone, by=self.victim)
        acts: list[tuple[Callable[[], Awaitable[None]], bool]] = [
            (self.stranger_orders, True),
            (self.stranger_orders, True),
            (self.stranger_corrects, True),
            (self.stranger_asks, True),
            (self.stranger_enters_late, True),
            (self.victim_orders, False),
            (self.victim_presses, False),
            (self.victim_corrects, False),
            (self.victim_asks, False),
        ]
        for _ in range(STEPS):
            act, strange = self.chance.choice(acts)
            before = await self.world.held(self.victim) if strange else None
            self.log.append(act.__name__)
            await act()
            if strange:
                assert await self.world.held(self.victim) == before, self.log
        await self.nothing_leaked()

    async def nothing_leaked(self) -> None:
        theirs = {order.number for order in self.stranger.orders}
        for shop, request in self.stranger.exports:
            held = (await self.world.export(shop, request))["ordering"]
            assert {row["number"] for row in held["orders"]} <= theirs, self.log

    async def stranger_orders(self) -> None:
        stranger = self.stranger
        email = self.chance.choice([self.spelling(), self.spelling(), stranger.email])
        phone = self.chance.choice([stranger.phone, stranger.phone, self.victim.phone])
        over: Way = self.chance.choice(WAYS)
        shop = self.chance.choice(SHOPS)
        self.log.append(f"{over} {shop} {email} {phone}")
        more = {"name": "Mallory", "newsletter": True, "language": "ru"}
        await self.world.order(email, phone, by=stranger, over=over, storefront=shop, **more)

    async def stranger_corrects(self) -> None:
        if self.stranger.orders:
            order = self.chance.choice(self.stranger.orders)
            email = self.chance.choice([self.stranger.email, self.spelling(), None])
            fields = {"email": email} if email else {"phone": self.victim.phone, "name": "Zoë"}
            await self._requested(order, await self.world.correct(order, **fields))

    async def stranger_asks(self) -> None:
        if self.stranger.orders:
            order = self.chance.choice(self.stranger.orders)
            await self._requested(order, await self.world.ask(order, self.chance.choice(KINDS)))

    async def _requested(self, order: "Order", requested: httpx.Response) -> None:
        """Enters the code now, or keeps it for later."""
        assert requested.status_code in {202, 410, 422, 429}, requested.text
        if requested.status_code == 202:
            if self.chance.random() < 0.3:
                self.pending.append((order, requested))
            else:
                await self.world.confirm(self.stranger, order, requested)

    async def stranger_enters_late(self) -> None:
        if self.pending:
            await self.world.confirm(self.stranger, *self.pending.pop())

    async def victim_orders(self) -> None:
        email, shop = self.spelling(), self.chance.choice(SHOPS)
        await self.world.order(email, self.victim.phone, by=self.victim, storefront=shop)

    async def victim_presses(self) -> None:
        """Also what a stranger's order has brought into the mailbox."""
        [mine, *_], orders = self.victim.orders, [*self.victim.orders, *self.stranger.orders]
        order = self.chance.choice(orders)
        contact = await self.world.contact(order)
        if contact and self.victim.reads("email", contact[0].email, ""):
            await self.world.press(order)
        await self.world.press(mine)

    async def victim_corrects(self) -> None:
        order = self.chance.choice(self.victim.orders)
        requested = await self.world.correct(order, name=f"Zoë {len(self.log)}")
        if requested.status_code == 202:
            await self.world.confirm(self.victim, order, requested)

    async def victim_asks(self) -> None:
        order = self.chance.choice(self.victim.orders)
        requested = await self.world.ask(order, self.chance.choice(("export", "block", "unblock", "export", "erase")))
        if requested.status_code == 202:
            await self.world.confirm(self.victim, order, requested)


@pytest.mark.timeout(400)
async def test_a_stranger_changes_nothing_of_a_victim_in_any_order(world: "World", people: "Sequence[Person]") -> None:
    kind = type(people[0])
    for seed in range(12):
        victim = kind(f"Zoë.{seed}@example.org", f"+7701123{seed:04}")
        stranger = kind(f"mallory.{seed}@example.net", f"+7701999{seed:04}")
        await Play(world, victim, stranger, seed).run()
