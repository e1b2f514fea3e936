"""Receipts, outages of the fiscal service, money taken twice: judged by the books of bank and cash register."""

import asyncio
from collections.abc import Sequence
from functools import partial

from product.faults import NO_SUCH_PROFILE
from product.harness import Running
from product.judge import until
from product.shop import Order
from sandbox.storefront import IN_PROGRESS
from shared.contracts import ReceiptIssued
from shared.testing.documents import JsonObject

SHOP = "qazaq-esim"  # the seller in Kazakhstan: it has a cash register
SALE, SALE_RETURN = 2, 3


async def receipts(running: Running, orders: Sequence[Order]) -> list[JsonObject]:
    """What the register has written for these orders."""
    numbers = {order.number for order in orders}
    return [one for one in await running.sandbox.ledger_cashbox() if one["externalOrderNumber"] in numbers]


async def one_sale_each(running: Running, orders: Sequence[Order]) -> None:
    """The register has one sale of the whole price for each order and nothing else, and tells of each in one fact."""
    numbers = {order.number for order in orders}
    written = await receipts(running, orders)
    assert sorted((one["externalOrderNumber"], one["operationType"], one["total"]) for one in written) == sorted(
        (order.number, SALE, order.price) for order in orders
    )
    # Kafka may carry a fact twice after a kill; it is then the very same fact.
    published = {one.id: one.event for one in await running.topics.all_events(ReceiptIssued)}
    signs = sorted(event.check_number for event in published.values() if event.order_number in numbers)
    assert signs == sorted(one["checkNumber"] for one in written)
    assert await running.sandbox.cashbox_violations() == []


async def test_an_outage_of_the_fiscal_service_holds_back_nobody(running: Running) -> None:
    # given: the fiscal service is down
    await running.sandbox.faults({"target": "cashbox.check", "effect": "http_error", "status": 503})
    # when: orders are delivered, and one is refunded
    orders = [await running.shop.buy(SHOP) for _ in range(3)]
    await running.judge.statuses(orders, "delivered")
    await running.sandbox.faults(NO_SUCH_PROFILE)
    back = await running.shop.buy(SHOP)
    await running.judge.statuses([back], "refunded")
    # then: there are no receipts yet
    assert await receipts(running, [*orders, back]) == []

    # when: the fiscal service is back
    await running.sandbox.clear_faults()
    # then: each order has its sale, and the refunded one its return
    await running.judge.quiet()
    await one_sale_each(running, orders)
    sold, returned = await receipts(running, [back])
    assert (sold["operationType"], returned["operationType"]) == (SALE, SALE_RETURN)
    assert (returned["basisCheckNumber"], returned["total"]) == (sold["checkNumber"], back.price)


async def test_killed_amid_receipts_with_a_second_instance_at_work(running: Running) -> None:
    """kill -9 while the register is at work for one instance, and another instance has receipts in hand as well."""
    # given: a slow register, and two instances of payments
    payments, second = running.product.services["payments"], running.product.second("payments")
    await running.sandbox.faults({"target": "cashbox.check", "effect": "delay", "seconds": 0.3})
    before = len(await running.sandbox.ledger_cashbox())

    async def fewer(than: int) -> str:
        new = len(await running.sandbox.ledger_cashbox()) - before
        return f"{new} of {than} receipts" if new < than else ""

    second.start()
    try:
        await second.wait_ready(lambda: running.product.answers(int(second.environment["HTTP_PORT"])), 60)
        # when: one of them is killed among the receipts
        buying = asyncio.create_task(running.shop.buy_many(7, SHOP, together=4))
        await until(partial(fewer, 2))
        payments.kill()
        await payments.wait_exit(10)
        payments.start()
        await running.product.ready("payments")
        # then: each order is delivered, and has one sale
        orders = await buying
        await running.judge.delivered(orders)
        await running.sandbox.clear_faults()
        await running.judge.quiet()
        await one_sale_each(running, orders)
    finally:
        await second.stop()


async def test_money_taken_twice_goes_back(running: Running) -> None:
    """A payment that the bank called failed goes through after all, when another card has paid (RF 2.4)."""
    # given: a payment that is in progress, and that the bank calls failed
    order = await running.shop.place(SHOP)
    first = await running.shop.page(order)
    await running.sandbox.pay(first, IN_PROGRESS)
    failed = {"resultCode": "101", "transaction": {"statusName": "FAILED", "reasonCode": "484"}}
    await running.sandbox.faults(
        {"target": "bank.check_status", "effect": "forge", "fields": failed, "match": {"invoiceID": first["invoiceId"]}}
    )
    await running.judge.statuses([order], "payment_failed")
    # when: the buyer pays with another card, and the first payment goes through after all
    await running.shop.pay(order)
    await running.judge.statuses([order], "delivered")
    await running.sandbox.clear_faults()
    await running.sandbox.settle(first["invoiceId"])

    async def kept_and_returned() -> str:
        books = {one["invoiceID"]: one["refunded"] for one in await running.judge.charges(order)}
        return "" if books == {first["invoiceId"]: order.price, order.invoices[-1]: 0} else str(books)

    # then: the first charge is returned in full; the order stays delivered, with one sale
    await until(kept_and_returned)
    await running.judge.quiet()
    await running.judge.statuses([order], "delivered")
    await one_sale_each(running, [order])
