"""What may be appended to a payment is limited, by counts that concurrent requests cannot pass."""

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from payments.attempts.routes import MOST_NOTIFICATIONS
from payments.attempts.store import MOST_ATTEMPTS

if TYPE_CHECKING:
    from services.payments.tests.conftest import Start


async def test_notifications_of_one_attempt_are_limited(start: "Start") -> None:
    running = await start()
    order = await running.ordered()
    page = await running.page(order)
    [attempt] = await running.rows("SELECT secret_hash FROM attempts")
    good = {"invoiceId": page["invoiceId"], "secret_hash": attempt["secret_hash"], "code": "ok", "reasonCode": 0}
    bodies = [good | {"id": f"invented-{number}"} for number in range(3 * MOST_NOTIFICATIONS)]

    async def post(body: object) -> int:
        return int((await running.post("/epay/webhook", key=None, json=body)).status_code)

    codes = Counter(await asyncio.gather(*map(post, bodies)))
    assert codes == {200: MOST_NOTIFICATIONS, 409: 2 * MOST_NOTIFICATIONS}
    assert len(await running.rows("SELECT 1 FROM notifications")) == MOST_NOTIFICATIONS
    assert running.metric("limits_reached_total", limit="notifications") == 2 * MOST_NOTIFICATIONS
    # The bank's own word is not needed: it is asked all the same.
    await running.sandbox.pay(page)
    assert (await running.paid_event(order)).invoice_id == page["invoiceId"]


async def test_attempts_of_one_order_are_limited(start: "Start") -> None:
    running = await start(poll_first_seconds=600)
    order = await running.ordered()
    await running.page(order)
    path = f"/orders/{order.order_id}/payment"

    async def fail(number: int) -> None:
        async with running.service.database.transaction() as tx:
            await tx.execute("UPDATE attempts SET state = 'failed', number = :number", number=number)

    await fail(MOST_ATTEMPTS - 1)
    answers = await asyncio.gather(*(running.post(path) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {200}
    assert len(await running.rows("SELECT 1 FROM attempts")) == 2
    async with running.service.database.transaction() as tx:
        await tx.execute("UPDATE attempts SET state = 'failed'")
    refused = await running.post(path)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:problem:too-many-attempts")
    assert "Place a new order" in refused.json()["detail"]
    assert len(await running.rows("SELECT 1 FROM attempts")) == 2
