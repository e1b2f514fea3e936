"""Paying an order, between a real Kafka, a real Postgres and the sandbox's bank."""

import asyncio
import importlib
import json
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from sandbox.storefront import HELD, IN_PROGRESS, INSUFFICIENT_FUNDS, SUCCESS
from shared.contracts import OrderPaid, PaymentFailed
from shared.ids import uuid7
from shared.telemetry.tracing import new_traceparent, trace_id
from shared.testing.documents import JsonObject

if TYPE_CHECKING:
    from services.payments.tests.conftest import Payments, Start

TERMINAL = "67e34d63-102f-4bd1-898e-370781d0074d"
DROP_WEBHOOKS = {"target": "bank.webhook", "effect": "drop"}


async def test_an_order_is_paid(start: "Start") -> None:
    running = await start()
    order = await running.ordered()
    page = await running.page(order, back_link="https://shop.example/thanks", language="en")
    assert page.pop("auth")["token_type"] == "Bearer"
    invoice = page.pop("invoiceId")
    assert page == {
        "backLink": "https://shop.example/thanks",
        "failureBackLink": "https://shop.example/thanks",
        "postLink": f"http://127.0.0.1:{running.service.port}/epay/webhook",
        "failurePostLink": f"http://127.0.0.1:{running.service.port}/epay/webhook",
        "language": "eng",
        "description": "Turkey 5 GB, order 10000001",
        "accountId": str(order.buyer_id),
        "terminal": TERMINAL,
        "amount": 5990.5,
        "currency": "KZT",
        "name": "Aigerim Test",
        "phone": "+77010000001",
        "email": "aigerim@example.kz",
        "data": '{"order": "10000001"}',
    }
    again = await running.page(order)
    assert again["invoiceId"] == invoice
    await running.sandbox.pay(again)
    paid = await running.paid_event(order)
    assert (paid.invoice_id, paid.paid, paid.plan, paid.buyer_id) == (invoice, order.price, order.plan, order.buyer_id)
    await running.quiet()
    assert (await running.post(f"/orders/{order.order_id}/payment")).status_code == 409
    assert len(await running.stage.all_events(OrderPaid)) == 1


async def test_who_may_ask_for_a_payment_object(start: "Start") -> None:
    running = await start()
    order = await running.ordered()
    await running.page(order)
    path = f"/orders/{order.order_id}/payment"
    assert (await running.post(path, key=None)).status_code == 401
    assert (await running.post(path, key="wrong")).status_code == 401
    assert (await running.post(path, key="other-key")).status_code == 404
    unknown = await running.post(f"/orders/{uuid7()}/payment")
    assert (unknown.status_code, unknown.headers["retry-after"]) == (404, "1")
    assert "retry-after" not in (await running.post(f"/orders/{uuid4()}/payment")).headers  # no id of an order
    assert unknown.headers["content-type"] == "application/problem+json"
    assert (await running.post("/orders/nonsense/payment")).status_code == 422
    assert (await running.post(path, json={"back_link": "javascript:alert(1)"})).status_code == 422
    assert (await running.post(path, json={"card": "4405639800000001"})).status_code == 422
    assert (await running.post(path, json=[])).status_code == 422


async def test_an_order_that_was_placed_just_now_is_waited_for(start: "Start", monkeypatch: pytest.MonkeyPatch) -> None:
    routes = importlib.import_module("payments.attempts.routes")
    monkeypatch.setattr(routes, "_ORDER_WAITS", (0.05,) * 600)  # half a minute, the patience of a test
    running = await start()
    order = running.order_placed()
    waiting = asyncio.create_task(running.post(f"/orders/{order.order_id}/payment"))
    await asyncio.sleep(0)
    await running.stage.publish(order, running.contact_of(order))
    assert (await waiting).status_code == 200


async def test_an_order_waits_for_its_contact_which_a_tombstone_deletes(start: "Start") -> None:
    running = await start()
    order = running.order_placed()
    await running.stage.publish(order)
    await running.until_rows("SELECT 1 FROM payment_orders")
    assert (await running.post(f"/orders/{order.order_id}/payment")).status_code == 404
    new, old = running.contact_of(order, name="New"), running.contact_of(order, name="Old", updated_at=order.placed_at)
    await running.stage.publish(new)
    await running.until_rows("SELECT 1 FROM contacts")
    await running.stage.publish(old, running.contact_of(order, buyer_id=uuid7()))
    await running.until_rows("SELECT 1 FROM contacts OFFSET 1")
    assert (await running.page(order))["name"] == "New"
    headers = [(name, value.encode()) for name, value in _envelope().items()]
    await running.stage.raw("ordering.buyer-contact", str(order.buyer_id).encode(), None, headers)
    await running.until_rows(
        "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM contacts WHERE buyer_id = :id)", id=order.buyer_id
    )


async def test_repeated_and_forged_webhooks_pay_an_order_once(start: "Start") -> None:
    running = await start()
    order = await running.ordered()
    page = await running.page(order)
    await running.sandbox.faults(
        {"target": "bank.webhook", "effect": "duplicate", "count": 3, "times": 1},
    )
    await running.sandbox.pay(page)
    await running.sandbox.resend_webhook(page["invoiceId"], fields={"secret_hash": "forged", "code": "error"})
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
    running = await start()
    order = await running.ordered()
    page = await running.page(order)
    before = await _everything(running)
    ledger = await running.sandbox.ledger_bank()
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
    assert await _everything(running) == before
    assert await running.sandbox.ledger_bank() == ledger
    assert await running.sandbox.requests("check-status") == []


async def test_a_webhook_with_the_right_secret_only_starts_a_check(start: "Start") -> None:
    running = await start()
    order = await running.ordered()
    page = await running.page(order)
    [attempt] = await running.rows("SELECT secret_hash FROM attempts")
    body = {"id": "b1", "invoiceId": page["invoiceId"], "code": "ok", "amount": 5990.5} | attempt
    assert (await running.post("/epay/webhook", key=None, json=body)).status_code == 200
    await running.until_rows("SELECT 1 FROM work WHERE kind = 'check_status' AND last_error LIKE '%not_found%'")
    assert await running.stage.all_events(OrderPaid) == []
    assert await running.rows("SELECT state FROM attempts") == [{"state": "open"}]


async def test_a_payment_without_a_webhook_is_found_by_polling(start: "Start") -> None:
    running = await start(poll_first_seconds=0.3)
    await running.sandbox.faults(DROP_WEBHOOKS)
    order = await running.ordered()
    await running.sandbox.pay(await running.page(order))
    await running.paid_event(order)
    await running.quiet()
    assert await running.rows("SELECT 1 FROM notifications") == []
    assert len(await running.stage.all_events(OrderPaid)) == 1


async def test_an_unpaid_attempt_expires_and_a_late_payment_still_counts(start: "Start") -> None:
    running = await start(poll_first_seconds=0.05, poll_give_up_seconds=0.2)
    order = await running.ordered()
    page = await running.page(order)
    await running.until_rows("SELECT 1 FROM attempts WHERE state = 'expired'")
    assert len(await running.sandbox.requests("check-status")) < 8
    await running.quiet()
    await running.sandbox.pay(page)
    await running.paid_event(order)


async def test_a_declined_card_is_followed_by_another_attempt(start: "Start") -> None:
    running = await start()
    order = await running.ordered()
    first = await running.page(order)
    await running.sandbox.pay(first, INSUFFICIENT_FUNDS)
    [failed] = await running.stage.events(PaymentFailed)
    assert (failed.event.invoice_id, failed.event.reason_code) == (first["invoiceId"], 484)
    assert failed.event.reason == "There is not enough money on the card."
    assert failed.event.reason_ru == "На карте недостаточно денег."
    pages = await asyncio.gather(*[running.page(order) for _ in range(5)])
    assert len({page["invoiceId"] for page in pages}) == 1
    assert pages[0]["invoiceId"] != first["invoiceId"]
    await running.sandbox.pay(pages[0], SUCCESS)
    assert (await running.paid_event(order)).invoice_id == pages[0]["invoiceId"]
    await running.quiet()
    assert len(await running.stage.all_events(PaymentFailed)) == 1
    assert [row["state"] for row in await running.rows("SELECT state FROM attempts ORDER BY number")] == [
        "failed",
        "captured",
    ]


async def test_held_money_is_captured(start: "Start") -> None:
    running = await start()
    order = await running.paid(HELD)
    [transaction] = await running.sandbox.ledger_bank()
    assert (transaction["status"], transaction["captured"]) == ("CHARGE", order.price.amount)


@pytest.mark.parametrize("effect", ["lose_reply", "drop", "http_error"])
async def test_a_lost_reply_to_a_charge_is_settled_by_asking(start: "Start", effect: str) -> None:
    running = await start()
    await running.sandbox.faults({"target": "bank.charge", "effect": effect, "times": 1})
    order = await running.paid(HELD)
    await running.quiet()
    [transaction] = await running.sandbox.ledger_bank()
    assert (transaction["status"], transaction["captured"]) == ("CHARGE", order.price.amount)


async def test_held_money_of_a_second_attempt_is_released(start: "Start") -> None:
    running = await start(poll_first_seconds=600)
    order = await running.ordered()
    first = await running.page(order)
    await running.sandbox.pay(first, IN_PROGRESS)
    async with running.service.database.transaction() as tx:
        await tx.execute("UPDATE attempts SET state = 'failed'")
    await running.sandbox.pay(await running.page(order))
    await running.paid_event(order)
    await running.sandbox.settle(first["invoiceId"], "AUTH")

    async def let_go() -> bool:
        transaction = await running.sandbox.transaction(first["invoiceId"])
        return transaction is not None and transaction["status"] == "CANCEL"

    await running.stage.eventually(let_go)
    assert len(await running.stage.all_events(OrderPaid)) == 1


async def test_a_payment_in_progress_is_asked_again(start: "Start") -> None:
    running = await start(poll_first_seconds=600)
    order = await running.ordered()
    page = await running.page(order)
    await running.sandbox.pay(page, IN_PROGRESS)
    [attempt] = await running.rows("SELECT secret_hash FROM attempts")
    body = {"id": "early", "invoiceId": page["invoiceId"], "code": "ok"} | attempt
    assert (await running.post("/epay/webhook", key=None, json=body)).status_code == 200
    await running.until_rows("SELECT 1 FROM work WHERE kind = 'check_status' AND last_error LIKE '%pending%'")
    await running.sandbox.faults(DROP_WEBHOOKS)
    await running.sandbox.settle(page["invoiceId"])
    await running.paid_event(order)


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "fault",
    [
        {"effect": "http_error", "status": 503},
        {"effect": "http_error", "status": 429, "headers": {"Retry-After": "0"}},
        {"effect": "http_error", "status": 401},
        {"effect": "http_error", "body": "<html>"},
        {"effect": "refuse", "code": 107},
        {"effect": "drop"},
        {"effect": "partial_body"},
        {"effect": "latency", "seconds": 1.5},
    ],
    ids=["503", "429", "401", "html", "in-progress", "cut", "half", "slow"],
)
async def test_an_order_is_paid_whatever_happens_to_check_status(start: "Start", fault: JsonObject) -> None:
    running = await start(epay_timeout_seconds=1.0)
    await running.sandbox.faults({"target": "bank.check_status", "times": 2, **fault})
    await running.paid()
    await running.quiet()
    assert len(await running.stage.all_events(OrderPaid)) == 1


async def test_an_expired_token_is_renewed(start: "Start") -> None:
    running = await start()
    await running.paid()
    await running.paid()
    assert running.metric("epay_calls_total", operation="token", outcome="ok") == 3  # two pages, one of our own
    await running.sandbox.faults({"target": "bank.check_status", "effect": "http_error", "status": 401, "times": 1})
    await running.paid()
    assert running.metric("epay_calls_total", operation="token", outcome="ok") == 5


async def test_a_storefront_gets_a_refusal_where_the_bank_gives_no_token(start: "Start") -> None:
    running = await start()
    order = await running.ordered()
    await running.page(order)
    path = f"/orders/{order.order_id}/payment"
    await running.sandbox.faults({"target": "bank.token", "effect": "http_error", "status": 503, "times": 1})
    away = await running.post(path)
    assert (away.status_code, away.headers["retry-after"]) == (503, "2")
    await running.sandbox.faults({"target": "bank.token", "effect": "refuse", "times": 1})
    assert (await running.post(path)).status_code == 502
    assert (await running.post(path)).status_code == 200


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("amount", {"amount": 59.9}),
        ("amount", {"amount": 599050}),
        ("amount", {"amount": 5990.505}),
        ("amount", {"amount": "5 990,50"}),
        ("amount", {"amount": -5990.5}),
        ("currency", {"currency": "USD"}),
        ("terminal", {"terminal": "other", "terminalID": "other"}),
    ],
)
async def test_a_wrong_payment_waits_for_a_person(start: "Start", field: str, fields: JsonObject) -> None:
    running = await start(poll_first_seconds=600)
    order = await running.ordered()
    page = await running.page(order)
    await running.sandbox.faults({"target": "bank.check_status", "effect": "forge", "fields": {"transaction": fields}})
    await running.sandbox.pay(page)
    [parked] = await running.until_rows("SELECT kind, last_error FROM work WHERE state = 'parked'")
    assert parked == {"kind": "check_status", "last_error": f"the bank holds a payment that differs in {field}"}
    assert running.metric("payment_mismatches_total", field=field) == 1
    assert await running.stage.all_events(OrderPaid) == []
    assert await running.rows("SELECT 1 FROM ledger") == []


async def test_neither_cards_nor_secrets_are_kept_or_traced(start: "Start") -> None:
    running = await start()
    trace = new_traceparent(sampled=True)
    order = await running.ordered(trace=trace)
    page = await running.page(order)
    await running.sandbox.pay(page)
    [paid] = await running.stage.events(OrderPaid)
    assert trace_id(paid.trace) == trace_id(trace)
    await running.quiet()
    [attempt] = await running.rows("SELECT secret_hash FROM attempts")
    tables = json.dumps(await _everything(running), default=str)
    for secret in ("4405639800000001", "440563...0001", "440563", page["auth"]["access_token"], "sandbox-secret"):
        assert secret not in tables
    requests = await running.sandbox.requests("check-status")
    assert {trace_id(one["headers"]["traceparent"]) for one in requests} == {trace_id(trace)}
    running.service.tracing.close()
    spans = running.trace_file.read_text()
    assert "epay check_status" in spans
    assert "epay token" in spans
    for secret in (attempt["secret_hash"], "aigerim@example.kz", "Aigerim", "+7701", "sandbox-secret"):
        assert secret not in spans


async def test_the_instant_bank_pays_every_order(start: "Start") -> None:
    running = await start(epay_adapter="instant", epay_oauth_url=None, epay_api_url=None, epay_client_id="")
    orders = [running.order_placed() for _ in range(300)]
    await running.stage.publish(*orders)
    found = await running.stage.events(OrderPaid, count=300)
    assert {one.event.order_id for one in found} == {order.order_id for order in orders}
    assert len({one.event.invoice_id[-6:] for one in found}) == 300
    await running.quiet()


def _envelope() -> dict[str, str]:
    return {
        "ce_specversion": "1.0",
        "ce_id": str(uuid7()),
        "ce_source": "/services/ordering",
        "ce_type": "ordering.buyer-contact.v1",
    }


async def _everything(running: "Payments") -> JsonObject:
    """All rows of all our tables."""
    names = (
        *("payment_orders", "attempts", "notifications", "contacts", "refunds", "ledger", "surplus_charges"),
        *("outbox", "work", "dead_letters"),
    )
    return {name: await running.rows(f"SELECT * FROM {name} ORDER BY 1, 2") for name in names}
