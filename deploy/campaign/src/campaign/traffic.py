"""The traffic of a campaign: users of three shops come at a steady rate, each on a journey of its own."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from uuid import uuid4
from zlib import crc32

import httpx

from campaign.journeys import KINDS, Journey, Kind
from campaign.schedule import SHOPS
from campaign.shops import Shops
from esim_fulfilment import FulfilmentError
from sandbox.client import SandboxClient
from sandbox.storefront import IN_PROGRESS, INSUFFICIENT_FUNDS
from tour.expectations import UnmetError, until
from tour.orders import Buyer, Order

#: Made by the operators; by the reseller first; by nobody (`REFUSED` sees to that).
PLAN, RESOLD_PLAN, UNMADE_PLAN = "tr-5gb-30d", "th-15gb-10d", "kz-3gb-15d"
#: In force as long as the campaign is: no operator has this kind of profile.
REFUSED: Mapping[str, object] = {
    "target": "operator.download_order",
    "effect": "refuse",
    "subjectCode": "8.2.5",
    "reasonCode": "3.9",
    "match": {"profileType": "kz-data"},
}
_EID = "89049032123451234512345678901235"
_ORDERED_SECONDS, _DELIVERED_SECONDS = 40.0, 120.0
_NEWS_SECONDS = 45.0
_MOST_AT_ONCE = 40


@dataclass
class Traffic:
    """`journeys` are all that began. `mark` is in every name and address, to search logs for."""

    shops: Shops
    sandbox: SandboxClient
    seed: int
    mark: str
    rate: float
    journeys: list[Journey] = field(default_factory=list)
    newsletters: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        """Until cancelled."""
        rng = random.Random(f"traffic/{self.seed}")
        news = asyncio.create_task(self._newsletters())
        try:
            while True:
                if len(self._tasks) < _MOST_AT_ONCE:
                    self._begin(rng)
                await asyncio.sleep(rng.expovariate(self.rate))
        finally:
            news.cancel()
            await asyncio.gather(news, return_exceptions=True)

    async def end(self, seconds: float) -> None:
        """Let those on their way come to an end."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _begin(self, rng: random.Random) -> None:
        number = len(self.journeys) + 1
        [kind] = rng.choices(list(KINDS), [weight for weight, _ in KINDS.values()])
        address = f"{self.mark}.{number}@buyers.example"
        journey = Journey(number, kind, rng.choice(SHOPS), [address], f"Zhanar {self.mark.title()}")
        journey.first_phone = crc32(self.mark.encode())
        self.journeys.append(journey)
        task = asyncio.create_task(self._go(journey, random.Random(rng.random())))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _go(self, journey: Journey, rng: random.Random) -> None:
        try:
            await _WAYS.get(journey.kind, _bought)(self, journey, rng)
        except (UnmetError, FulfilmentError, httpx.HTTPError, TimeoutError) as error:
            journey.problem = str(error)
            journey.did(f"gave up: {error}")

    async def _newsletters(self) -> None:
        while True:
            await asyncio.sleep(_NEWS_SECONDS)
            self.newsletters += 1
            try:
                await self.shops.newsletter(SHOPS[self.newsletters % len(SHOPS)], self.newsletters)
            except UnmetError:
                self.newsletters -= 1

    def _buyer(self, journey: Journey) -> Buyer:
        return Buyer(journey.name, journey.emails[0], journey.phone, "en")

    async def order(self, journey: Journey, rng: random.Random, plan: str = "") -> Order:
        """Place the order, over HTTP or over Kafka."""
        plan = plan or (RESOLD_PLAN if rng.random() < 0.15 else PLAN)
        buyer = self._buyer(journey)
        new = await self.shops.new_order(journey.shop, plan, buyer, newsletter=rng.random() < 0.2)
        if journey.kind == "submitted over Kafka":
            key = str(uuid4())
            await self.shops.submit(journey.shop, new, key)
            journey.submission = key
            journey.did("submitted")
            journey.order = await self.shops.submitted(journey.shop, new, buyer, key, _ORDERED_SECONDS)
        else:
            journey.order = await self.shops.place(journey.shop, new, buyer, f"campaign-{self.mark}-{journey.number}")
        journey.did("ordered")
        return journey.order

    async def lost(self, journey: Journey) -> str:
        """What is wrong with a submission that the brokers acknowledged: it has not become an order even now."""
        if not journey.submission or journey.order is not None:
            return ""
        listed = await self.shops.listed(journey.shop, journey.submission)
        if listed is None:
            return "whether an acknowledged submission became an order was not answered"
        return "" if listed else "an acknowledged submission became no order"

    async def pay(self, journey: Journey, order: Order) -> None:
        """Open the bank's page and pay."""
        page = await self.shops.page(order)
        journey.invoices.append(page.invoice_id)
        await self.shops.pay(page)
        journey.paid_at = journey.paid_at or journey.did("paid")

    async def delivered(self, order: Order, *ends: str) -> str:
        """Wait until the shop sees the order at one of these ends; returns which."""

        async def look() -> str | None:
            status = await self.shops.status(order)
            return status if status in {"delivered", "refunded", *ends} else None

        sentence = f"order {order.number} is delivered or refunded"
        return await until(look, sentence, seconds=_DELIVERED_SECONDS, every=0.5)


async def _bought(traffic: Traffic, journey: Journey, rng: random.Random) -> None:
    order = await traffic.order(journey, rng, UNMADE_PLAN if journey.kind == "never made" else "")
    await traffic.pay(journey, order)


async def _declined(traffic: Traffic, journey: Journey, rng: random.Random) -> None:
    order = await traffic.order(journey, rng)
    page = await traffic.shops.page(order)
    journey.invoices.append(page.invoice_id)
    await traffic.shops.declined(page, INSUFFICIENT_FUNDS)
    journey.did("declined")


async def _declined_then_paid(traffic: Traffic, journey: Journey, rng: random.Random) -> None:
    await _declined(traffic, journey, rng)
    assert journey.order is not None  # noqa: S101 - `_declined` placed it

    async def look() -> str | None:
        # A new attempt has a new invoice as soon as payments knows that the first one failed.
        page = await traffic.shops.page(journey.order)  # type: ignore[arg-type] # asserted above
        return page.invoice_id if page.invoice_id not in journey.invoices else None

    await until(look, "a failed payment can be repeated", "payments", seconds=_DELIVERED_SECONDS, every=0.5)
    await traffic.pay(journey, journey.order)


async def _abandoned(traffic: Traffic, journey: Journey, rng: random.Random) -> None:
    order = await traffic.order(journey, rng)
    journey.invoices.append((await traffic.shops.page(order)).invoice_id)


async def _in_progress(traffic: Traffic, journey: Journey, rng: random.Random) -> None:
    """The bank does not know for a while whether the payment succeeds."""
    order = await traffic.order(journey, rng)
    page = await traffic.shops.page(order)
    journey.invoices.append(page.invoice_id)
    await traffic.sandbox.pay(page.object, IN_PROGRESS)
    journey.did("a payment in progress")
    await asyncio.sleep(rng.uniform(0, 5))
    await traffic.sandbox.settle(page.invoice_id)
    journey.paid_at = journey.did("it succeeded")


async def _topped_up(traffic: Traffic, journey: Journey, rng: random.Random) -> None:
    order = await traffic.order(journey, rng, PLAN)
    await traffic.pay(journey, order)
    if await traffic.delivered(order) != "delivered":
        return
    journey.iccid = await traffic.shops.iccid(order)
    buyer = traffic._buyer(journey)  # noqa: SLF001 - this module's own
    new = await traffic.shops.new_order(journey.shop, PLAN, buyer, iccid=journey.iccid)
    key = f"campaign-{traffic.mark}-{journey.number}-top-up"
    journey.top_up = await traffic.shops.place(journey.shop, new, buyer, key)
    page = await traffic.shops.page(journey.top_up)
    journey.top_up_invoices.append(page.invoice_id)
    await traffic.shops.pay(page)
    journey.did("topped up")


async def _refund_asked(traffic: Traffic, journey: Journey, rng: random.Random) -> None:
    """By the channel that each shop has: a request (RF 2.1), a cancellation (RC 6), the shop's own decision."""
    order = await traffic.order(journey, rng, PLAN)
    await traffic.pay(journey, order)
    if await traffic.delivered(order) != "delivered":
        return
    client = traffic.shops.client(journey.shop)
    if journey.shop == "esimka":
        await traffic.shops.ask_refund(order, "changed_mind")
    elif journey.shop == "e-sim-onl":
        await client.cancel_order(order.id, email=order.buyer.email)
    else:
        await client.refund(order.id, reason="goodwill", idempotency_key=f"refund-{order.id}")
    journey.refund_asked = True
    journey.did("asked for a refund")


async def _used(traffic: Traffic, journey: Journey, rng: random.Random) -> None:
    """The eSIM is installed and used before its buyer asks for the money: no ground (RF 3.1, RC 1, RP 2.3)."""
    order = await traffic.order(journey, rng, PLAN)
    await traffic.pay(journey, order)
    if await traffic.delivered(order) != "delivered":
        return
    iccid = await traffic.shops.iccid(order)
    await traffic.sandbox.phone(iccid, 3, 4, eid=_EID)
    await traffic.sandbox.use_data(iccid, 1_000_000)
    journey.installed = True
    journey.did("installed and used")
    await traffic.shops.ask_refund(order, "changed_mind")
    journey.did("asked for a refund")


async def _corrected(traffic: Traffic, journey: Journey, rng: random.Random) -> None:
    order = await traffic.order(journey, rng, PLAN)
    journey.emails.append(f"{traffic.mark}.{journey.number}.corrected@buyers.example")
    await asyncio.gather(traffic.pay(journey, order), traffic.shops.correct_email(order, journey.emails[1]))
    journey.did("contact corrected")


async def _erased(traffic: Traffic, journey: Journey, rng: random.Random) -> None:
    order = await traffic.order(journey, rng, PLAN)
    await traffic.pay(journey, order)
    await asyncio.sleep(rng.choice([0.0, 0.5, 3.0, 10.0]))
    await erase(traffic, journey)


async def erase(traffic: Traffic, journey: Journey) -> None:
    """The buyer is erased, wherever the order is."""
    if journey.order is not None and not journey.erased:
        journey.erased = True
        journey.erasure = await traffic.shops.erase(journey.order)
        journey.did("erased")


_Way = Callable[[Traffic, Journey, random.Random], Awaitable[None]]
_WAYS: Mapping[Kind, _Way] = {
    "declined": _declined,
    "declined, then paid": _declined_then_paid,
    "abandoned": _abandoned,
    "payment in progress": _in_progress,
    "topped up": _topped_up,
    "refund asked": _refund_asked,
    "used, refund asked": _used,
    "contact corrected": _corrected,
    "erased": _erased,
}
