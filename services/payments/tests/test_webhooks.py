"""What the bank sends: a webhook is a reason to ask the bank, and proves nothing (I9); nothing secret of it is kept."""

import json
from typing import TYPE_CHECKING

from shared.contracts import OrderPaid, PaymentFailed
from shared.telemetry.tracing import new_traceparent, trace_id
from shared.testing.documents import JsonObject

if TYPE_CHECKING:
    from services.payments.tests.conftest import Payments, Start

DROP_WEBHOOKS = {"target": "bank.webhook", "effect": "drop"}


async def test_repeated_and_forged_webhooks_pay_an_order_once(start: "Start") -> None:
    # given: an order
    running = await start()
    order = await running.ordered()
    page = await running.page(order)

    # when: it is paid, and the bank's webhook comes three times and once more forged
    await running.sandbox.faults(
        {"target": "bank.webhook", "effect": "duplicate", "count": 3, "times": 1},
    )
    await running.sandbox.pay(page)
    await running.sandbox.resend_webhook(page["invoiceId"], fields={"secret_hash": "forged", "code": "error"})

    # then: all were heard, and the order is paid once
    await running.paid_event(order)

    async def all_heard() -> bool:
        heard = (running.metric("epay_webhooks_total", outcome=name) for name in ("accepted", "repeated"))
        return bool(sum(heard) == 3 and running.metric("epay_webhooks_total", outcome="wrong_secret") == 1)

    await running.stage.eventually(all_heard)
    await running.quiet()
    assert len(await running.stage.all_events(OrderPaid)) == 1
    assert await running.rows("SELECT code FROM notifications") == [{"code": "ok"}]
    assert await running.stage.all_events(PaymentFailed) == []


async def test_forged_webhooks_change_nothing(start: "Start") -> None:
    # given: an order with an open attempt
    running = await start()
    order = await running.ordered()
    page = await running.page(order)
    before = await _everything(running)
    ledger = await running.sandbox.ledger_bank()

    # when: webhooks come that only look like the bank's
    good = {"id": "b1", "invoiceId": page["invoiceId"], "code": "ok", "reasonCode": 0, "secret_hash": "0" * 32}
    for body, status, kind in [
        (good, 403, "wrong-secret"),
        (good | {"secret_hash": ""}, 403, "wrong-secret"),
        (good | {"invoiceId": "999999999999999"}, 404, "unknown-invoice"),
        (good | {"invoiceId": None}, 422, "invalid-webhook"),
        (good | {"secret_hash": None}, 422, "invalid-webhook"),
        ([], 400, "malformed-json"),
    ]:
        answer = await running.post("/epay/webhook", key=None, json=body)
        assert (answer.status_code, answer.json()["type"]) == (status, f"urn:problem:{kind}")
        assert "0" * 32 not in answer.text
    assert (await running.post("/epay/webhook", key=None, content=b"\xff{")).status_code == 400
    assert (await running.post("/epay/webhook", key=None, content=b"[" * 100_000)).status_code == 400
    assert (await running.post("/epay/webhook", key=None, content=b" " * 300_000)).status_code == 413

    # then: no row has changed, and the bank was not even asked
    assert await _everything(running) == before
    assert await running.sandbox.ledger_bank() == ledger
    assert await running.sandbox.requests("check-status") == []


async def test_a_webhook_with_the_right_secret_only_starts_a_check(start: "Start") -> None:
    # given: an attempt that nobody has paid
    running = await start()
    order = await running.ordered()
    page = await running.page(order)
    [attempt] = await running.rows("SELECT secret_hash FROM attempts")

    # when: a webhook with its secret says that it is paid
    body = {"id": "b1", "invoiceId": page["invoiceId"], "code": "ok", "amount": 5990.5} | attempt
    assert (await running.post("/epay/webhook", key=None, json=body)).status_code == 200

    # then: the bank is asked, and its answer counts
    await running.until_rows("SELECT 1 FROM work WHERE kind = 'check_status' AND last_error LIKE '%not_found%'")
    assert await running.stage.all_events(OrderPaid) == []
    assert await running.rows("SELECT state FROM attempts") == [{"state": "open"}]


async def test_a_payment_without_a_webhook_is_found_by_polling(start: "Start") -> None:
    # given: a bank whose webhooks get lost
    running = await start(poll_first_seconds=0.3)
    await running.sandbox.faults(DROP_WEBHOOKS)

    # when: an order is paid
    order = await running.ordered()
    await running.sandbox.pay(await running.page(order))

    # then: it is found, once
    await running.paid_event(order)
    await running.quiet()
    assert await running.rows("SELECT 1 FROM notifications") == []
    assert len(await running.stage.all_events(OrderPaid)) == 1


async def test_neither_cards_nor_secrets_are_kept_or_traced(start: "Start") -> None:
    # given: an order with a trace
    running = await start()
    trace = new_traceparent(sampled=True)
    order = await running.ordered(trace=trace)
    page = await running.page(order)

    # when: the buyer pays
    await running.sandbox.pay(page)

    # then: the trace goes on
    [paid] = await running.stage.events(OrderPaid)
    assert trace_id(paid.trace) == trace_id(trace)
    await running.quiet()

    # then: no table has the card or a secret
    [attempt] = await running.rows("SELECT secret_hash FROM attempts")
    tables = json.dumps(await _everything(running), default=str)
    for secret in ("4405639800000001", "440563...0001", "440563", page["auth"]["access_token"], "sandbox-secret"):
        assert secret not in tables

    # then: the bank got the trace, and no span has a secret or the buyer
    requests = await running.sandbox.requests("check-status")
    assert {trace_id(one["headers"]["traceparent"]) for one in requests} == {trace_id(trace)}
    running.service.tracing.close()
    spans = running.trace_file.read_text()
    assert "epay check_status" in spans
    assert "epay token" in spans
    for secret in (attempt["secret_hash"], "aigerim@example.kz", "Aigerim", "+7701", "sandbox-secret"):
        assert secret not in spans


async def _everything(running: "Payments") -> JsonObject:
    """All rows of all our tables."""
    names = (
        *("payment_orders", "attempts", "notifications", "contacts", "refunds", "ledger", "surplus_charges"),
        *("outbox", "work", "dead_letters"),
    )
    return {name: await running.rows(f"SELECT * FROM {name} ORDER BY 1, 2") for name in names}
