"""The bank's webhook is not signed: it only makes us ask. What it says changes nothing, and it may never come."""

import httpx
import pytest

from product.harness import Running
from product.judge import until
from product.shop import Order, stubborn
from shared.testing.documents import JsonObject


async def post(running: Running, body: JsonObject) -> int:
    url = f"{running.product.url('payments')}/epay/webhook"
    return (await stubborn(lambda: running.shop.http.post(url, json=body))).status_code


async def forged(running: Running, order: Order, secret: str) -> JsonObject:
    """What the bank would send if this order had been paid."""
    [invoice] = order.invoices
    return {
        "id": "0b6bd5e5-7c1f-4a53-a2a4-9d7f6a4b6f11",
        "invoiceId": invoice,
        "code": "ok",
        "reason": "success",
        "reasonCode": 0,
        "amount": order.price / 100,
        "currency": order.currency,
        "terminal": "67e34d63-102f-4bd1-898e-370781d0074d",
        "secret_hash": secret,
        "approvalCode": "123456",
    }


async def secret_of(running: Running, order: Order) -> str:
    """What only the bank and payments know."""
    [row] = await running.product.query(
        "payments", "SELECT secret_hash FROM attempts WHERE invoice_id = %s", int(order.invoices[0])
    )
    return str(row[0])


async def test_a_webhook_that_never_comes_is_not_waited_for(running: Running) -> None:
    # given: the bank sends no webhooks
    await running.sandbox.faults({"target": "bank.webhook", "effect": "drop"})
    # when: buyers order and pay
    orders = await running.shop.buy_many(3)
    # then: each order is delivered
    await running.judge.delivered(orders)


async def test_a_wrong_secret_is_refused_and_changes_nothing(running: Running) -> None:
    # given: an order whose payment page is open
    order = await running.shop.place()
    await running.shop.page(order)
    asked = len(await status_calls(running, order))
    # when: a webhook comes with a wrong secret; then: it is refused, and the bank is not asked
    assert await post(running, await forged(running, order, "0" * 32)) == 403
    assert len(await status_calls(running, order)) == asked
    await unpaid(running, order)
    # when: the buyer pays; then: the order is delivered
    await running.shop.pay(order)
    await running.judge.delivered([order])


async def test_the_right_secret_only_makes_us_ask_the_bank(running: Running) -> None:
    # given: an order whose payment page is open
    order = await running.shop.place()
    await running.shop.page(order)
    # when: a webhook with the right secret says that it is paid
    assert await post(running, await forged(running, order, await secret_of(running, order))) == 200

    async def not_asked() -> str:
        return "" if await status_calls(running, order) else "the bank was not asked"

    # then: the bank is asked, and the order is not paid
    await until(not_asked)
    await unpaid(running, order)
    # when: the buyer pays; then: the order is delivered
    await running.shop.pay(order)
    await running.judge.delivered([order])


async def test_altered_and_repeated_webhooks_change_nothing(running: Running) -> None:
    # given: a bank whose webhooks are altered and repeated
    altered = {"amount": 1, "currency": "USD", "invoiceId": "999999999"}
    await running.sandbox.faults(
        {"target": "bank.webhook", "effect": "forge", "fields": altered, "times": 1},
        {"target": "bank.webhook", "effect": "duplicate", "count": 4, "times": 2},
    )
    # when: buyers order and pay; then: each order is delivered
    orders = await running.shop.buy_many(3)
    profiles = await running.judge.delivered(orders)
    # when: old webhooks come again, altered; then: nothing changes
    for order in orders:
        await running.sandbox.resend_webhook(order.invoices[0], times=3)
        await running.sandbox.resend_webhook(order.invoices[0], fields={"code": "error", "reasonCode": 484})
        await running.sandbox.resend_webhook(order.invoices[0], fields={"amount": 1})
    assert await running.judge.delivered(orders) == profiles


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"invoiceId": "1"}', b"\xff\xfe", b"[" * 100_000])
async def test_what_is_no_webhook_is_refused(running: Running, body: bytes) -> None:
    url = f"{running.product.url('payments')}/epay/webhook"
    answer = await running.shop.http.post(url, content=body)
    assert answer.status_code in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


async def status_calls(running: Running, order: Order) -> list[JsonObject]:
    return await running.sandbox.requests(path=f"/check-status/payment/transaction/{order.invoices[0]}")


async def unpaid(running: Running, order: Order) -> None:
    assert await running.sandbox.transaction(order.invoices[0]) is None
    assert await running.shop.status(order) == "placed"
    answer = await running.shop.http.get(f"{running.product.url('payments')}/health/ready")
    assert answer.status_code == httpx.codes.OK
