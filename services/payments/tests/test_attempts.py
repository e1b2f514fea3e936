"""Paying an order, between a real Kafka, a real Postgres and the sandbox's bank."""

import asyncio
import importlib
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from sandbox.storefront import HELD, IN_PROGRESS, INSUFFICIENT_FUNDS, SUCCESS
from shared.contracts import BuyerContact, OrderPaid, PaymentFailed
from shared.ids import uuid7
from shared.testing.documents import JsonObject

if TYPE_CHECKING:
    from services.payments.tests.conftest import Start

TERMINAL = "67e34d63-102f-4bd1-898e-370781d0074d"
DROP_WEBHOOKS = {"target": "bank.webhook", "effect": "drop"}


async def test_an_order_is_paid_once_on_the_page_that_the_bank_gets(start: "Start") -> None:
    # given: an order
    running = await start()
    order = await running.ordered()

    # when: its shop asks for what opens the bank's page
    page = await running.page(order, back_link="https://shop.example/thanks", language="en")

    # then: it has the order's own data, and a token of the bank
    assert page.pop("auth")["token_type"] == "Bearer"
    invoice = page.pop("invoiceId")
    assert page == {
        "backLink": "https://shop.example/thanks",
        "failureBackLink": "https://shop.example/thanks",
        "postLink": f"{running.address}/epay/webhook",
        "failurePostLink": f"{running.address}/epay/webhook",
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

    # when: the buyer pays, after the shop has asked once more
    again = await running.page(order)
    assert again["invoiceId"] == invoice
    await running.sandbox.pay(again)

    # then: the order is paid by that one invoice, and no other payment of it begins
    paid = await running.paid_event(order)
    assert (paid.invoice_id, paid.paid, paid.plan, paid.buyer_id) == (invoice, order.price, order.plan, order.buyer_id)
    await running.quiet()
    assert (await running.post(f"/orders/{order.order_id}/payment")).status_code == 409
    assert len(await running.stage.all_events(OrderPaid)) == 1


async def test_only_its_shop_gets_the_payment_of_an_order(start: "Start") -> None:
    # given: an order
    running = await start()
    order = await running.ordered()
    await running.page(order)

    # then: nobody without its shop's key gets its payment
    path = f"/orders/{order.order_id}/payment"
    assert (await running.post(path, key=None)).status_code == 401
    assert (await running.post(path, key="wrong")).status_code == 401
    assert (await running.post(path, key="other-key")).status_code == 404

    # then: an order that may still come is worth another try, and what is none is not
    unknown = await running.post(f"/orders/{uuid7()}/payment")
    assert (unknown.status_code, unknown.headers["retry-after"]) == (404, "1")
    assert "retry-after" not in (await running.post(f"/orders/{uuid4()}/payment")).headers  # no id of an order
    assert unknown.headers["content-type"] == "application/problem+json"

    # then: what the shop sends is checked
    assert (await running.post("/orders/nonsense/payment")).status_code == 422
    assert (await running.post(path, json={"back_link": "javascript:alert(1)"})).status_code == 422
    assert (await running.post(path, json={"card": "4405639800000001"})).status_code == 422
    assert (await running.post(path, json=[])).status_code == 422


async def test_an_order_that_was_placed_just_now_is_waited_for(start: "Start", monkeypatch: pytest.MonkeyPatch) -> None:
    # given: a shop that asks before the order has arrived here
    routes = importlib.import_module("payments.attempts.routes")
    monkeypatch.setattr(routes, "_ORDER_WAITS", (0.05,) * 600)  # half a minute, the patience of a test
    running = await start()
    order = running.order_placed()
    waiting = asyncio.create_task(running.post(f"/orders/{order.order_id}/payment"))
    await asyncio.sleep(0)

    # when: it arrives
    await running.stage.publish(order, running.contact_of(order))

    # then: the shop has its answer
    assert (await waiting).status_code == 200


async def test_an_order_waits_for_its_contact_which_a_tombstone_deletes(start: "Start") -> None:
    # given: an order whose contact is not known yet
    running = await start()
    order = running.order_placed()
    await running.stage.publish(order)
    await running.until_rows("SELECT 1 FROM payment_orders")

    # then: nobody can pay it
    assert (await running.post(f"/orders/{order.order_id}/payment")).status_code == 404

    # when: its contact comes, and then an older one
    new, old = running.contact_of(order, name="New"), running.contact_of(order, name="Old", updated_at=order.placed_at)
    await running.stage.publish(new)
    await running.until_rows("SELECT 1 FROM contacts")
    await running.stage.publish(old, running.contact_of(order, buyer_id=uuid7()))
    await running.until_rows("SELECT 1 FROM contacts OFFSET 1")

    # then: it is paid under the newest
    assert (await running.page(order))["name"] == "New"

    # when: the buyer is erased
    await running.stage.erase(BuyerContact, order.buyer_id)

    # then: the contact is gone
    await running.until_rows(
        "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM contacts WHERE buyer_id = :id)", id=order.buyer_id
    )


async def test_an_unpaid_attempt_expires_and_a_late_payment_still_counts(start: "Start") -> None:
    # given: an attempt that nobody paid in time
    running = await start(poll_first_seconds=0.05, poll_give_up_seconds=0.2)
    order = await running.ordered()
    page = await running.page(order)
    await running.until_rows("SELECT 1 FROM attempts WHERE state = 'expired'")

    # then: the bank was not asked without end
    assert len(await running.sandbox.requests("check-status")) < 8
    await running.quiet()

    # when: the buyer pays after all
    await running.sandbox.pay(page)

    # then: the order is paid
    await running.paid_event(order)


async def test_a_declined_card_is_followed_by_another_attempt(start: "Start") -> None:
    # given: an order
    running = await start()
    order = await running.ordered()
    first = await running.page(order)

    # when: the buyer's card is declined
    await running.sandbox.pay(first, INSUFFICIENT_FUNDS)

    # then: the shop hears why, in the words of the buyer
    [failed] = await running.stage.events(PaymentFailed)
    assert (failed.event.invoice_id, failed.event.reason_code) == (first["invoiceId"], 484)
    assert failed.event.reason == "There is not enough money on the card."
    assert failed.event.reason_ru == "На карте недостаточно денег."
    assert failed.event.reason_kk == "Картада ақша жеткіліксіз."
    assert failed.event.reason_ka == "ბარათზე თანხა საკმარისი არ არის."

    # when: its page is asked for again, many times at once
    pages = await asyncio.gather(*[running.page(order) for _ in range(5)])

    # then: there is one new attempt
    assert len({page["invoiceId"] for page in pages}) == 1
    assert pages[0]["invoiceId"] != first["invoiceId"]

    # when: another card pays it
    await running.sandbox.pay(pages[0], SUCCESS)

    # then: the order is paid by the second invoice
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
    # given: a bank whose answer to the charge is lost
    running = await start()
    await running.sandbox.faults({"target": "bank.charge", "effect": effect, "times": 1})

    # when: an order is paid with held money
    order = await running.paid(HELD)
    await running.quiet()

    # then: it is charged once
    [transaction] = await running.sandbox.ledger_bank()
    assert (transaction["status"], transaction["captured"]) == ("CHARGE", order.price.amount)


async def test_held_money_of_a_second_attempt_is_released(start: "Start") -> None:
    # given: an order that was paid by its second attempt, while the first looked failed
    running = await start(poll_first_seconds=600)
    order = await running.ordered()
    first = await running.page(order)
    await running.sandbox.pay(first, IN_PROGRESS)
    async with running.service.database.transaction() as tx:
        await tx.execute("UPDATE attempts SET state = 'failed'")
    await running.sandbox.pay(await running.page(order))
    await running.paid_event(order)

    # when: the bank holds money of the first too
    await running.sandbox.settle(first["invoiceId"], "AUTH")

    # then: that money is released
    async def let_go() -> bool:
        transaction = await running.sandbox.transaction(first["invoiceId"])
        return transaction is not None and transaction["status"] == "CANCEL"

    await running.stage.eventually(let_go)
    assert len(await running.stage.all_events(OrderPaid)) == 1


async def test_a_payment_in_progress_is_asked_again(start: "Start") -> None:
    # given: a payment in progress, which the bank has reported
    running = await start(poll_first_seconds=600)
    order = await running.ordered()
    page = await running.page(order)
    await running.sandbox.pay(page, IN_PROGRESS)
    [attempt] = await running.rows("SELECT secret_hash FROM attempts")
    body = {"id": "early", "invoiceId": page["invoiceId"], "code": "ok"} | attempt
    assert (await running.post("/epay/webhook", key=None, json=body)).status_code == 200
    await running.until_rows("SELECT 1 FROM work WHERE kind = 'check_status' AND last_error LIKE '%pending%'")

    # when: it is settled, and no webhook says so
    await running.sandbox.faults(DROP_WEBHOOKS)
    await running.sandbox.settle(page["invoiceId"])

    # then: the bank is asked, and the order is paid
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
    # given: a bank whose status answers fail
    running = await start(epay_timeout_seconds=1.0)
    await running.sandbox.faults({"target": "bank.check_status", "times": 2, **fault})

    # when: an order is paid
    await running.paid()

    # then: it is paid once
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
    # given: an order
    running = await start()
    order = await running.ordered()
    await running.page(order)
    path = f"/orders/{order.order_id}/payment"

    # when: the bank does not answer, or refuses
    await running.sandbox.faults({"target": "bank.token", "effect": "http_error", "status": 503, "times": 1})
    away = await running.post(path)

    # then: the answer to the shop names it, and the next request is answered
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
    # given: an order
    running = await start(poll_first_seconds=600)
    order = await running.ordered()
    page = await running.page(order)

    # when: the bank holds a payment that is not the order's
    await running.sandbox.faults({"target": "bank.check_status", "effect": "forge", "fields": {"transaction": fields}})
    await running.sandbox.pay(page)

    # then: a person decides; nothing is booked or published
    [parked] = await running.until_rows("SELECT kind, last_error FROM work WHERE state = 'parked'")
    assert parked == {"kind": "check_status", "last_error": f"the bank holds a payment that differs in {field}"}
    assert running.metric("payment_mismatches_total", field=field) == 1
    assert await running.stage.all_events(OrderPaid) == []
    assert await running.rows("SELECT 1 FROM ledger") == []


async def test_the_instant_bank_pays_every_order(start: "Start") -> None:
    running = await start(epay_adapter="instant", epay_oauth_url=None, epay_api_url=None, epay_client_id="")
    orders = [running.order_placed() for _ in range(300)]
    await running.stage.publish(*orders)
    found = await running.stage.events(OrderPaid, count=300)
    assert {one.event.order_id for one in found} == {order.order_id for order in orders}
    assert len({one.event.invoice_id[-6:] for one in found}) == 300
    await running.quiet()
