"""Services are killed with `kill -9` while fifty orders are in flight, and every order ends exactly once."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tour.expectations import Outcome, UnmetError
from tour.ledgers import Books
from tour.narrator import Step
from tour.orders import Buyer, Order, Page, Paid
from tour.stage import Stage

NAME = "kill -9"
ORDERS = 50
WORDS = (
    f"{ORDERS} buyers pay within a few seconds. In the middle of it three services are killed with SIGKILL, which "
    "nobody can catch or clean up after, and started again. Every order must still end exactly once."
)
_SHOPS = ("qazaq-esim", "e-sim-onl")
_PLAN = "tr-5gb-30d"
_AT_ONCE = 8
_BETWEEN_PAYMENTS_SECONDS = 0.05
_ALL_DELIVERED_SECONDS = 90.0
_LOOK_SECONDS = 0.1
#: Slow enough that each kill strikes somebody in the middle of a call.
_SLOW = (
    {"target": "operator.download_order", "effect": "latency", "seconds": 0.1},
    {"target": "operator.confirm_order", "effect": "latency", "seconds": 0.1},
    {"target": "mail", "effect": "latency", "seconds": 0.1},
)


@dataclass(frozen=True, slots=True)
class Kill:
    """Which service, and when its work is in full swing.

    Until then no more than `buyers` pay, so that it strikes in the middle also where everything is fast.
    """

    service: str
    buyers: int
    when: Callable[[Books], bool]


_KILLS = (
    Kill("notifications", 20, lambda books: len(books.mails) >= 3),  # noqa: PLR2004 - the next ones are being sent
    Kill("provisioning", 35, lambda books: len(books.profiles) >= 23),  # noqa: PLR2004 - the others are being made
    Kill("payments", 45, lambda books: books.captures >= 38),  # noqa: PLR2004 - the bank is telling of the others
)


@dataclass
class Crowd:
    """The buyers and how far they are."""

    pages: Sequence[Page]
    paid: list[Paid] = field(default_factory=list)
    delivered: set[str] = field(default_factory=set)
    #: What is new at bank, operator and mail server, as last seen.
    books: Books = field(default_factory=lambda: Books((), (), ()))
    #: Set whenever `books` have been read anew.
    seen: asyncio.Event = field(default_factory=asyncio.Event)
    #: How many may pay for now, and the sign that it became more.
    admitted: int = _KILLS[0].buyers
    more: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def waiting(self) -> list[Order]:
        """Orders whose mail has come, but which the shop does not see as delivered yet."""
        mailed = {one["to"][0] for one in self.books.mails}
        return [
            page.order
            for page in self.pages
            if page.order.buyer.email in mailed and page.order.id not in self.delivered
        ]

    def admit(self, buyers: int) -> None:
        """Let so many pay in all."""
        self.admitted = buyers
        self.more.set()

    def __str__(self) -> str:
        parts = {
            "paid": len(self.paid),
            "profiles": self.books.confirmed,
            "mails": self.books.different_mails,
            "delivered": len(self.delivered),
        }
        return ", ".join(f"{name} {count}" for name, count in parts.items())


async def perform(stage: Stage, outcome: Outcome) -> None:
    """Fill the pipes, kill, restart, wait, and look into the ledgers."""
    before = await stage.begin()
    crowd = Crowd(await _place(stage))
    outcome.orders = len(crowd.pages)
    await stage.sandbox.faults(*_SLOW)
    try:
        with stage.narrator.step("The buyers pay") as step:
            async with asyncio.TaskGroup() as group:
                group.create_task(_pay_all(stage, crowd))
                group.create_task(_kill_all(stage, crowd))
                await _watch(stage, crowd, before, step)
            step.done(f"All {len(crowd.delivered)} orders are delivered")
    finally:
        outcome.delivered = len(crowd.delivered)
        await stage.sandbox.clear_faults()
    await _judge(stage, outcome, crowd, before)


async def _place(stage: Stage) -> list[Page]:
    """Orders with a payment page each."""
    room = asyncio.Semaphore(_AT_ONCE)
    with stage.narrator.step(f"{ORDERS} orders are placed") as step:
        pages: list[Page] = []

        async def one(number: int) -> None:
            buyer = Buyer("Dana", stage.address("Dana"), f"+7701{7654000 + number}", "en")
            async with room:
                order = await stage.buying.order(_SHOPS[number % len(_SHOPS)], _PLAN, buyer)
                pages.append(await stage.buying.page(order))
            step.now(f"{len(pages)} of {ORDERS}")

        async with asyncio.TaskGroup() as group:
            for number in range(ORDERS):
                group.create_task(one(number))
        step.done(f"{ORDERS} orders are placed in {len(_SHOPS)} shops, {ORDERS} buyers look at the bank's page")
    return pages


async def _pay_all(stage: Stage, crowd: Crowd) -> None:
    async def one(page: Page) -> None:
        crowd.paid.append(await stage.buying.pay(page))

    async with asyncio.TaskGroup() as group:
        for number, page in enumerate(crowd.pages):
            while number >= crowd.admitted:
                await crowd.more.wait()
                crowd.more.clear()
            group.create_task(one(page))
            await asyncio.sleep(_BETWEEN_PAYMENTS_SECONDS)


async def _kill_all(stage: Stage, crowd: Crowd) -> None:
    """One after the other, each in the midst of its work; each is started again at once, in the background."""
    async with asyncio.TaskGroup() as restarts:
        for kill in _KILLS:
            crowd.admit(kill.buyers)
            while not kill.when(crowd.books):
                await crowd.seen.wait()
                crowd.seen.clear()
            pid = stage.stack.parts[kill.service].pid
            stage.stack.kill(kill.service)
            stage.narrator.struck(f"kill -9 {pid} ({kill.service}): {crowd}")
            restarts.create_task(_restart(stage, kill.service))
        crowd.admit(ORDERS)


async def _restart(stage: Stage, service: str) -> None:
    began = time.monotonic()
    await stage.stack.start(service)
    stage.narrator.right(f"{service} is back and at work after {time.monotonic() - began:.1f} s")


async def _watch(stage: Stage, crowd: Crowd, before: Books, step: Step) -> None:
    """Until all are delivered. Raises UnmetError."""
    deadline = time.monotonic() + _ALL_DELIVERED_SECONDS
    while len(crowd.delivered) < len(crowd.pages):
        crowd.books = await stage.news(before)
        crowd.seen.set()
        orders = crowd.waiting
        seen = await asyncio.gather(*(stage.buying.status(order) for order in orders))
        crowd.delivered |= {order.id for order, status in zip(orders, seen, strict=True) if status == "delivered"}
        step.now(f"{crowd} of {len(crowd.pages)}")
        if time.monotonic() > deadline:
            raise UnmetError(
                f"expected that all orders are delivered within {_ALL_DELIVERED_SECONDS:.0f} s, but: {crowd}",
                *(kill.service for kill in _KILLS),
            )
        await asyncio.sleep(_LOOK_SECONDS)


async def _judge(stage: Stage, outcome: Outcome, crowd: Crowd, before: Books) -> None:
    with stage.narrator.step("Looking into the ledgers") as step:
        books = await stage.check_delivered(outcome, crowd.paid, before)
        if outcome.ok:
            step.done("The ledgers agree: nothing twice, nothing missing, nothing for nobody")
        else:
            step.failed("The ledgers do not agree")
    again = f" ({books.repeated_mails} sent again after the kill)" * bool(books.repeated_mails)
    stage.narrator.say(f"bank      {books.captures} captures for {len(crowd.paid)} orders")
    stage.narrator.say(f"operator  {books.confirmed} confirmed profiles")
    stage.narrator.say(f"mail      {books.different_mails} different mails{again}")
    stage.narrator.say(f"ordering  {len(crowd.delivered)} orders “delivered”")
