"""A shop and its buyers. It is as stubborn as a good shop: what fails because a service is away is sent again."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx

from product.running import Product, keys_of
from product.topics import Topics
from sandbox.client import SandboxClient
from sandbox.storefront import SUCCESS, Card, PaymentResult
from shared.contracts import OrderPlaced, OrderSubmitted
from shared.shops.reading import read_shops
from shared.testing.documents import JsonObject

PATIENCE_SECONDS = 60.0
PLAN = "tr-5gb-30d"


@dataclass
class Buyer:
    """Data that must be found in a mail and nowhere it does not belong."""

    mark: str = field(default_factory=lambda: f"kanareika{secrets.token_hex(6)}")
    language: str = "en"
    #: The shop's idempotency key for this buyer's order.
    key: str = field(default_factory=lambda: secrets.token_hex(16))

    @property
    def email(self) -> str:
        return f"{self.mark}@buyers.example"

    @property
    def name(self) -> str:
        return f"Zhanar {self.mark.title()}"

    @property
    def phone(self) -> str:
        return f"+7701{int(self.mark[9:], 16) % 10**7:07d}"


@dataclass
class Order:
    """An accepted order as its shop knows it. `price` in minor units."""

    id: str
    number: str
    storefront: str
    buyer: Buyer
    price: int
    currency: str
    invoices: list[str] = field(default_factory=list)


class Shop:
    """Places and pays orders at a running product."""

    def __init__(self, product: Product, sandbox: SandboxClient, topics: Topics) -> None:
        self._product = product
        self._sandbox = sandbox
        self._topics = topics
        self._keys = keys_of(product)
        self._shops = read_shops(product.site.shops)
        self.http = httpx.AsyncClient(timeout=10, trust_env=False)

    async def close(self) -> None:
        await self.http.aclose()

    def body(self, storefront: str, buyer: Buyer, plan: str = PLAN) -> JsonObject:
        """What `POST /orders` takes."""
        documents = self._shops[storefront].documents[-1]
        return {
            "plan": plan,
            "buyer": {"name": buyer.name, "email": buyer.email, "phone": buyer.phone, "language": buyer.language},
            "device_compatible": True,
            "offer_version": documents.offer,
            "privacy_version": documents.privacy,
        }

    async def place(
        self, storefront: str = "esimka", buyer: Buyer | None = None, plan: str = PLAN, **headers: str
    ) -> Order:
        """Order over HTTP: one Idempotency-Key, sent until it is answered."""
        buyer = buyer or Buyer()
        sent = {**self.auth(storefront), "Idempotency-Key": buyer.key, **headers}
        body = self.body(storefront, buyer, plan)
        url = f"{self._product.url('ordering')}/orders"
        answer = await stubborn(lambda: self.http.post(url, json=body, headers=sent))
        assert answer.status_code == 201, answer.text
        placed = answer.json()
        price = placed["price"]
        return Order(placed["order_id"], placed["order_number"], storefront, buyer, price["amount"], price["currency"])

    async def submit(
        self, storefront: str = "esimka", buyer: Buyer | None = None, *, traceparent: str | None = None
    ) -> Order:
        """Order over Kafka; what was ordered before under the same key comes back."""
        buyer = buyer or Buyer()
        order = OrderSubmitted(storefront=storefront, submission_id=buyer.key, order=self.body(storefront, buyer))
        await self._topics.publish(order, trace=traceparent)
        [placed] = await self._topics.events(OrderPlaced, where=lambda e: e.submission_id == buyer.key)
        event = placed.event
        price = event.price
        return Order(str(event.order_id), event.order_number, storefront, buyer, price.amount, price.currency)

    async def page(self, order: Order, **links: str) -> JsonObject:
        """The payment object, as soon as payments knows the order; `links`: where the bank's page leads afterwards."""
        url = f"{self._product.url('payments')}/orders/{order.id}/payment"
        answer = await stubborn(
            lambda: self.http.post(url, headers=self.auth(order.storefront), json=links or None), again={404}
        )
        assert answer.status_code == 200, answer.text
        page: JsonObject = answer.json()
        if page["invoiceId"] not in order.invoices:
            order.invoices.append(page["invoiceId"])
        return page

    async def pay(self, order: Order, card: Card = SUCCESS) -> PaymentResult:
        """The buyer pays at the bank."""
        return await self._sandbox.pay(await self.page(order), card)

    async def buy(self, storefront: str = "esimka", buyer: Buyer | None = None, plan: str = PLAN) -> Order:
        """Order and pay."""
        order = await self.place(storefront, buyer, plan)
        await self.pay(order)
        return order

    async def buy_many(
        self, count: int, storefront: str = "esimka", plan: str = PLAN, *, together: int = 2
    ) -> list[Order]:
        """So many orders, a few at a time: they keep coming while something is broken."""
        gate = asyncio.Semaphore(together)

        async def one() -> Order:
            async with gate:
                return await self.buy(storefront, plan=plan)

        return await asyncio.gather(*(one() for _ in range(count)))

    async def status(self, order: Order) -> str:
        """The derived status, as ordering tells it."""
        url = f"{self._product.url('ordering')}/orders/{order.id}"
        answer = await stubborn(lambda: self.http.get(url, headers=self.auth(order.storefront)))
        assert answer.status_code == 200, answer.text
        return str(answer.json()["status"])

    async def timeline(self, order: Order) -> list[str]:
        """The sentences of the order's timeline, in English."""
        url = f"{self._product.url('ordering')}/orders/{order.id}/timeline?lang=en"
        answer = await stubborn(lambda: self.http.get(url, headers=self.auth(order.storefront)))
        assert answer.status_code == 200, answer.text
        return [str(line["sentence"]) for line in answer.json()]

    def auth(self, storefront: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._keys[storefront]}"}


async def stubborn(
    call: Callable[[], Awaitable[httpx.Response]], *, again: frozenset[int] | set[int] = frozenset()
) -> httpx.Response:
    """Call until there is an answer that is not "away" (no connection, 5xx, or one of `again`)."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            answer = await call()
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
        else:
            if (answer.status_code < 500 and answer.status_code not in again) or time.monotonic() > deadline:
                return answer
        await asyncio.sleep(0.05)  # between two attempts at a service that is away, until the deadline
