"""A sixth process listens to the whole product: what must hold holds, and what is missing is seen and seen to end."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from local_stack.ports import free_ports
from local_stack.product import AGENTS, OPERATIONS, STOREFRONTS
from product.harness import Running
from product.judge import until
from product.rights import as_service, drop_service
from product.running import READY_SECONDS
from product.shop import Buyer, Order
from sandbox.storefront import INSUFFICIENT_FUNDS
from shared.testing.databases import new_database
from shared.testing.documents import Json, JsonObject

#: How long a paid order may be without an outcome here, in seconds.
PATIENCE = 2.0
HURRIED = ("paid_without_outcome", "code_not_delivered", "failed_without_case", "receipt_missing")


@dataclass
class Operations:
    """The running process, asked over HTTP."""

    http: httpx.AsyncClient

    async def get(self, path: str) -> Json:
        return (await self.http.get(path)).raise_for_status().json()

    async def broken(self, orders: list[Order]) -> set[str]:
        """What does not hold for these orders, as of a moment after this call."""
        now = datetime.now(UTC)

        async def stale() -> str:
            as_of = (await self.get("/overview"))["as_of"]
            fresh = as_of is not None and datetime.fromisoformat(as_of) > now
            return "" if fresh else f"not everything was read and judged: {as_of}"

        await until(stale)
        found = [one for name in await self.get("/invariants") for one in (await self._of(name["name"]))]
        return {one["invariant"] for one in found if one["order_id"] in {order.id for order in orders}}

    async def _of(self, name: str) -> list[JsonObject]:
        found: list[JsonObject] = (await self.get(f"/invariants/{name}"))["open"]
        return found


@pytest.fixture
async def operations(running: Running) -> AsyncIterator[Operations]:
    product = running.product
    database = await asyncio.to_thread(new_database, "operations")
    product.site.databases["operations"] = await asyncio.to_thread(as_service, database)
    product.site.invent_secrets(["operations"], STOREFRONTS, AGENTS)
    [product.site.ports["operations"]] = free_ports(1)
    process = product._process(OPERATIONS)
    limits = dict.fromkeys(HURRIED, PATIENCE)
    process.environment |= {"EVALUATION_SECONDS": "0.3", "INVARIANT_SECONDS": json.dumps(limits)}
    process.start()
    try:
        port = product.site.ports["operations"]
        await process.wait_ready(lambda: product.answers(port), READY_SECONDS)
        key = product.site.operations_keys["operator"]
        headers = {"authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(
            base_url=product.url("operations"), headers=headers, trust_env=False, timeout=30
        ) as http:
            yield Operations(http)
    finally:
        await process.stop()
        del product.site.databases["operations"]
        await asyncio.to_thread(drop_service, database)


async def test_delivered_and_refunded_orders_break_nothing_and_are_found(
    running: Running, operations: Operations
) -> None:
    buyer = Buyer()
    delivered = await running.shop.buy("qazaq-esim", buyer)
    declined = await running.shop.place("e-sim-onl")
    await running.shop.pay(declined, INSUFFICIENT_FUNDS)
    await running.judge.statuses([delivered], "delivered")
    await running.sandbox.faults({"target": "operator.download_order", "effect": "out_of_stock"})
    refunded = await running.shop.buy("esimka")
    await running.judge.statuses([refunded], "refunded")
    await running.sandbox.clear_faults()
    orders = [delivered, declined, refunded]

    async def wrong() -> str:
        return ", ".join(await operations.broken(orders))

    await until(wrong)
    answers = {order.number: await operations.get(f"/orders/{order.id}") for order in orders}
    statuses = [answers[order.number]["status"] for order in orders]
    assert statuses == ["delivered", "payment_failed", "refunded"]
    topics = [line["topic"] for line in answers[delivered.number]["timeline"]]
    assert {"ordering.order-placed", "payments.order-paid", "notifications.qr-delivered"} < set(topics)
    [refund] = answers[refunded.number]["refunds"]
    assert refund["settled_minor"] == refunded.price
    [esim] = answers[delivered.number]["esims"]

    for asked in ({"email": buyer.email.upper()}, {"number": delivered.number}, {"iccid": esim["iccid"]}):
        found = (await operations.http.post("/search", json=asked)).json()
        assert [one["order_id"] for one in found] == [delivered.id], asked

    async def unwatched() -> str:
        # Operations asks every few seconds; its last answer may be of a moment before this product was up.
        answers = await operations.get("/services")
        return ", ".join(str(one) for one in answers if not (one["ready"] and one["summary"]))

    await until(unwatched)
    services = {one["service"]: one for one in await operations.get("/services")}
    assert {one["orders"]["breaker"] for one in services["provisioning"]["operators"]} <= {"closed", "half_open"}


@pytest.mark.long
async def test_a_paid_order_that_nothing_comes_of_is_seen_until_it_is_mended(
    running: Running, operations: Operations
) -> None:
    provisioning = running.product.services["provisioning"]
    await provisioning.stop()
    began = datetime.now(UTC)
    order = await running.shop.buy("esimka")

    async def unseen() -> str:
        found = await operations.broken([order])
        return "" if found == {"paid_without_outcome"} else f"seen: {found}"

    await until(unseen)
    assert datetime.now(UTC) - began > timedelta(seconds=PATIENCE)
    [seen] = (await operations.get(f"/orders/{order.id}"))["violations"]
    assert (seen["order_number"], seen["resolved_at"]) == (order.number, None)
    metrics = (await operations.http.get("/metrics")).text
    assert 'invariant_violations{invariant="paid_without_outcome",severity="page"} 0.0' not in metrics

    provisioning.start()
    await running.product.ready("provisioning")
    await running.judge.delivered([order])

    async def still() -> str:
        return ", ".join(await operations.broken([order]))

    await until(still)
    [ended] = [
        one
        for one in (await operations.get(f"/orders/{order.id}"))["violations"]
        if one["invariant"] == "paid_without_outcome"
    ]
    assert ended["resolved_at"] > ended["first_seen_at"]
