"""The buyer's steps: the shop's server calls the services with the client of shops, the browser is the sandbox's buyer.

Everything is repeated until it is answered.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self, TypeVar
from uuid import uuid4

import httpx

from esim_fulfilment import Addresses, AsyncClient, FulfilmentError, NewOrder, RetryPolicy
from esim_fulfilment import Buyer as NewBuyer
from local_stack.product import support_mail_keys
from local_stack.site import Site
from sandbox.client import SandboxClient
from sandbox.outward import new_client
from sandbox.storefront import Card, pay
from tour.expectations import UnmetError
from tour.orders import Buyer, Money, Order, Page, Paid, Shop

T = TypeVar("T")
PATIENCE_SECONDS = 40.0
_PAUSE_SECONDS = 0.05
#: A service that was killed comes back at any moment: the pauses of the client stay short, and patience ends them.
_LONGEST_PAUSE, _ATTEMPTS = 0.5, 10_000
_MESSAGES = re.compile(r'^epay_webhooks_total\{outcome="(\w+)"\} (\S+)$', re.MULTILINE)
#: The order has not reached payments yet, or the service is away for a moment: ask again.
_AGAIN = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE})


class Buying:
    """Orders and pays. `urls` are base URLs of `ordering`, `payments`, `refunds` and the bank; `keys` by storefront.

    `mail_keys`, by storefront: of who hands in the mails to the shops.
    """

    def __init__(
        self, urls: Mapping[str, str], keys: Mapping[str, str], agent_key: str, mail_keys: Mapping[str, str]
    ) -> None:
        self._urls = urls
        self._keys = keys
        self._agent_key = agent_key
        self._mail_keys = mail_keys
        self._client = new_client(timeout=15)
        self._clients: dict[str, AsyncClient] = {}
        self._shops: dict[str, Shop] = {}

    async def __aenter__(self) -> Self:
        """Nothing is opened before the first call."""
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Hang up."""
        await self._client.aclose()

    def client(self, slug: str) -> AsyncClient:
        """What the server of this shop calls the services with."""
        if slug not in self._clients:
            urls = {name: self._urls.get(name, "") for name in ("ordering", "payments", "notifications", "refunds")}
            retries = RetryPolicy(
                attempts=_ATTEMPTS, first_wait=_PAUSE_SECONDS, longest_wait=_LONGEST_PAUSE, patience=PATIENCE_SECONDS
            )
            self._clients[slug] = AsyncClient(self._keys[slug], Addresses(**urls), retries=retries, http=self._client)
        return self._clients[slug]

    async def shop(self, slug: str) -> Shop:
        """The shop as it describes itself."""
        if slug not in self._shops:
            seen = await answer_of("ordering", "GET /storefront", self.client(slug).storefront())
            documents = {"offer": seen.documents.offer, "privacy": seen.documents.privacy}
            self._shops[slug] = Shop(slug, seen.name, documents, tuple(offer.plan.id for offer in seen.plans))
        return self._shops[slug]

    async def order(self, slug: str, plan: str, buyer: Buyer) -> Order:
        """Place an order: one idempotency key, however often it has to be sent."""
        return await self.place(slug, await self.new_order(slug, plan, buyer), buyer, str(uuid4()))

    async def new_order(
        self, slug: str, plan: str, buyer: Buyer, *, iccid: str = "", newsletter: bool = False
    ) -> NewOrder:
        """The order as the shop sends it; with an ICCID it is a top-up."""
        shop = await self.shop(slug)
        return NewOrder(
            plan=plan,
            buyer=NewBuyer.model_validate(asdict(buyer)),
            offer_version=shop.documents["offer"],
            privacy_version=shop.documents["privacy"],
            kind="top_up" if iccid else "esim",
            iccid=iccid or None,
            newsletter=newsletter,
        )

    async def place(self, slug: str, new: NewOrder, buyer: Buyer, key: str) -> Order:
        """Place an order over HTTP under this key, until it is answered."""
        placing = self.client(slug).place_order(new, idempotency_key=key)
        placed = await answer_of("ordering", "POST /orders", placing)
        price = Money(placed.price.amount, placed.price.currency)
        return Order(placed.order_id, placed.order_number, await self.shop(slug), placed.plan.title, price, buyer)

    async def page(self, order: Order) -> Page:
        """The payment object for the bank's page."""
        opening = self.client(order.shop.slug).payment(order.id)
        return Page(order, dict(await answer_of("payments", f"POST /orders/{order.id}/payment", opening)))

    async def pay(self, page: Page) -> Paid:
        """The buyer presses "pay" on the bank's page."""
        at = datetime.now(UTC)
        result = await pay(self._client, self._urls["bank"], page.object)
        if result.status != "CHARGE":
            raise UnmetError(f"expected that the bank takes the price of order {page.order.number}", "sandbox")
        return Paid(page.order, page.invoice_id, at)

    async def declined(self, page: Page, card: Card) -> str:
        """The buyer tries a card that the bank declines; returns the bank's words. Raises UnmetError."""
        result = await pay(self._client, self._urls["bank"], page.object, card)
        if result.status != "FAILED":
            raise UnmetError(f"expected that the bank declines the card for order {page.order.number}", "sandbox")
        return result.reason

    async def status(self, order: Order) -> str:
        """Where the shop sees the order."""
        asking = self.client(order.shop.slug).order(order.id)
        return (await answer_of("ordering", f"GET /orders/{order.id}", asking)).status

    async def cases(self, order: Order) -> list[dict[str, Any]]:
        """The order's refund cases, as an agent sees them."""
        seen = await self._ask("refunds", "GET", f"/cases/{order.id}", self._agent_key)
        return list(seen.json()["cases"])

    async def ask_refund(self, order: Order, reason: str, **given: Any) -> dict[str, Any]:
        """The buyer asks the shop for the money; the shop passes it on, with all that any policy requires."""
        buyer = order.buyer
        body = {
            "reason": reason,
            "channel": "account",
            "full_name": buyer.name,
            "email": buyer.email,
            "phone": buyer.phone,
            "payment_date": datetime.now(UTC).date().isoformat(),
            "circumstances": "It happened after I had paid.",
            "evidence": ["The phone says: no service"],
            **given,
        }
        path = f"/orders/{order.id}/refund-requests"
        return dict((await self._ask("refunds", "POST", path, self._keys[order.shop.slug], json=body)).json())

    async def hand_in(self, slug: str, mail: bytes) -> None:
        """The shop's mail provider hands a mail over that came to the shop's support address."""
        await self._ask("refunds", "POST", f"/support-mails/{slug}", self._mail_keys[slug], content=mail)

    async def find(self, case_id: str, finding: str) -> dict[str, Any]:
        """An agent of support writes down what was found."""
        seen = await self._ask(
            "refunds", "POST", f"/cases/{case_id}/findings", self._agent_key, json={"finding": finding}
        )
        return dict(seen.json())

    async def life(self, order: Order) -> dict[str, Any]:
        """All that is known of the order's profile after it was made, as an agent sees it."""
        seen = await self._ask("provisioning", "GET", f"/profiles/{order.id}/life", self._agent_key)
        return dict(seen.json())

    async def proof(self, order: Order, request_id: str) -> dict[str, Any]:
        """Where a privacy request stands; of an erasure the proof."""
        seen = await self._ask("ordering", "GET", f"/privacy/requests/{request_id}", self._keys[order.shop.slug])
        return dict(seen.json())

    async def ledger(self, order: Order) -> dict[str, Any]:
        """The order's ledger at payments, as an agent sees it."""
        seen = await self._ask("payments", "GET", f"/orders/{order.id}/ledger", self._agent_key)
        return dict(seen.json())

    async def messages(self) -> Counter[str]:
        """The bank's messages that payments got since it was started, by what it made of them."""
        seen = await self._ask("payments", "GET", "/metrics", self._agent_key)
        return Counter({name: int(float(count)) for name, count in _MESSAGES.findall(seen.text)})

    async def _ask(self, service: str, method: str, path: str, key: str, **more: Any) -> httpx.Response:
        """The answer of a service; a service that does not answer is asked again. Raises UnmetError."""
        headers = {"Authorization": f"Bearer {key}", **more.pop("headers", {})}
        problem = ""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    try:
                        answer = await self._client.request(method, self._urls[service] + path, headers=headers, **more)
                    except httpx.TransportError as error:
                        problem = type(error).__name__
                    else:
                        if answer.is_success:
                            return answer
                        problem = f"HTTP {answer.status_code}"
                        if answer.status_code not in _AGAIN:
                            break
                    await asyncio.sleep(_PAUSE_SECONDS)
        except TimeoutError:
            problem += f" for {PATIENCE_SECONDS:.0f} s"
        raise UnmetError(f"expected that {service} answers {method} {path} ({problem})", service)


async def answer_of(service: str, call: str, answering: Awaitable[T]) -> T:
    """The client's answer. Raises UnmetError where the service refuses, or does not answer in time."""
    try:
        return await answering
    except FulfilmentError as error:
        raise UnmetError(f"expected that {service} answers {call} ({error})", service) from error


@asynccontextmanager
async def buying_at(site: Site) -> AsyncIterator[tuple[Buying, SandboxClient]]:
    """Who buys at a running stack, and the hands on the companies outside."""
    urls = {name: site.url(name) for name in ("ordering", "payments", "provisioning", "refunds", "sandbox")}
    agent_key = next(iter(site.agent_keys.values()))
    async with (
        SandboxClient(urls["sandbox"]) as sandbox,
        Buying(urls | {"bank": sandbox.bank_url}, site.storefront_keys, agent_key, support_mail_keys(site)) as buying,
    ):
        yield buying, sandbox
