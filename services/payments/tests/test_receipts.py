"""Fiscal receipts: judged by the cash register's own ledger, whatever happens to replies."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from payments.app import build
from payments.receipts.turns import Turns
from payments.settings import Settings
from sandbox.testing import RunningSandbox
from shared.contracts import OrderPaid, OrderPlaced, ReceiptIssued, RefundSettled
from shared.database import Tx
from shared.ids import uuid7
from shared.testing.documents import Json, JsonObject
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.payments.tests.conftest import Payments, Start

PRICE = 599050
CASHBOX = "SWK00000001"


def registers(**changes: object) -> JsonObject:
    register = {"cashbox": CASHBOX, "login": "sandbox", "password": "sandbox-secret", **changes}
    return {"cash_registers": {"qazaq-esim": register}, "webkassa_api_key": "sandbox-cashbox"}


@pytest.fixture
def selling(start: "Start", sandbox: RunningSandbox) -> "Start":
    """Start payments with a cash register for qazaq-esim."""

    async def selling(*, register: JsonObject | None = None, **overrides: object) -> "Payments":
        url = overrides.pop("webkassa_url", sandbox.cashbox_url)
        settings = {"webkassa_timeout_seconds": 1.0, **registers(**(register or {})), **overrides}
        return await start(webkassa_url=url, **settings)

    return selling


async def refunded(running: "Payments", order: OrderPlaced, minor: int = PRICE) -> RefundSettled:
    approved = running.refund_approved(order, minor)
    await running.stage.publish(approved)
    found = await running.stage.events(RefundSettled, where=lambda e: e.refund_id == approved.refund_id)
    settled: RefundSettled = found[0].event
    return settled


async def issued(running: "Payments", count: int = 1) -> list[ReceiptIssued]:
    """Exactly `count` receipts are published, and the register has exactly those."""
    events = [one.event for one in await running.stage.events(ReceiptIssued, count=count)]
    await running.quiet()
    assert len(await running.stage.all_events(ReceiptIssued)) == count
    written = await running.sandbox.ledger_cashbox()
    assert sorted(one["checkNumber"] for one in written) == sorted(event.check_number for event in events)
    assert await running.sandbox.cashbox_violations() == []
    return events


async def test_a_sale_and_its_return(selling: "Start") -> None:
    # given: a shop with a cash register
    running = await selling()
    trace = "00-" + "5a" * 16 + "-" + "1b" * 8 + "-01"
    # when: an order is paid
    order = await running.ordered(trace=trace)
    await running.sandbox.pay(await running.page(order))
    # then: it has a receipt
    [sale] = await issued(running)
    assert (sale.kind, sale.amount.amount, sale.refund_id, sale.order_id) == ("sale", PRICE, None, order.order_id)
    # when: the order is refunded
    settled = await refunded(running, order)
    # then: it has a receipt of the return, which names the sale; the buyer's data stay here
    returned = next(one for one in await issued(running, 2) if one.kind == "sale_return")
    assert (returned.refund_id, returned.amount.amount) == (settled.refund_id, PRICE)
    sold, back = await running.sandbox.ledger_cashbox()
    assert (sold["total"], sold["externalOrderNumber"], sold["paymentType"]) == (PRICE, order.order_number, 1)
    assert [(line["name"], line["positionType"]) for line in sold["positions"]] == [("Turkey 5 GB", 2)]
    assert (back["operationType"], back["basisCheckNumber"]) == (3, sold["checkNumber"])
    # The buyer's data stays with us unless the register is to have it.
    assert (sold["customerEmail"], sold["customerPhone"]) == ("", "")
    [receipt] = await running.stage.events(ReceiptIssued, where=lambda e: e.kind == "sale")
    assert receipt.trace is not None
    assert receipt.trace.startswith(trace[:35])
    assert running.metric("receipt_outcomes_total", storefront="qazaq-esim", outcome="issued") == 2
    assert running.metric("receipts_waiting", storefront="qazaq-esim") == 0


async def test_partial_refunds_have_a_return_each(selling: "Start") -> None:
    # given: a paid order
    running = await selling()
    order = await running.paid()
    # when: it is refunded in two parts
    for minor in (200000, 300000):
        await refunded(running, order, minor)
    # then: each part has a receipt
    await issued(running, 3)
    assert sorted(one["total"] for one in await running.sandbox.ledger_cashbox()) == [200000, 300000, PRICE]


async def test_vat_and_contact_where_the_register_is_to_have_them(selling: "Start") -> None:
    # given: a register that is to have tax and contact
    running = await selling(register={"vat_percent": "16", "send_contact": True})
    # when: an order is paid
    await running.paid()
    # then: its receipt has both
    await issued(running)
    [sold] = await running.sandbox.ledger_cashbox()
    [line] = sold["positions"]
    assert (line["taxType"], line["taxPercent"], line["tax"]) == (100, 16.0, 82628)
    assert (sold["customerEmail"], sold["customerPhone"]) == ("aigerim@example.kz", "+77010000001")


FAULTS: list[JsonObject] = [
    {"effect": "lose_reply"},
    {"effect": "partial_body"},
    {"effect": "drop"},
    {"effect": "duplicate"},
    {"effect": "http_error", "status": 502},
    {"effect": "delay", "seconds": 1.2},
    {"effect": "latency", "seconds": 1.2},
    {"effect": "http_error", "status": 429, "headers": {"Retry-After": "0"}},
    {"effect": "http_error", "status": 200, "body": "<html>"},
    {"effect": "forge", "fields": {"Data": {"TicketUrl": None}}},
    {"effect": "forge", "fields": {"Data": {"Total": None}}},
    *({"effect": "refuse", "code": code} for code in (2, 11, 12, 13, 18, 505)),
]
#: The open questions of docs/wire/webkassa.md, answered the other way.
OTHERWISE = {"original_in_duplicate": False, "history_filters": False, "flat_registration": True}


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("fault", "behaviour"),
    [*((fault, {}) for fault in FAULTS), *((fault, OTHERWISE) for fault in FAULTS[:4])],
    ids=lambda value: "-".join(str(one) for one in value.values())[:24] or "as-set",
)
async def test_one_receipt_whatever_happens_to_the_reply(
    selling: "Start", fault: JsonObject, behaviour: dict[str, bool]
) -> None:
    # given: a register whose reply fails in this way
    running = await selling()
    await running.sandbox.cashbox_behaviour(**behaviour)
    await running.sandbox.faults({"target": "cashbox.check", "times": 1, **fault})
    # when: an order is paid and refunded
    order = await running.paid()
    await refunded(running, order)
    # then: there is one receipt of each
    events = await issued(running, 2)
    assert {event.kind for event in events} == {"sale", "sale_return"}


def forged(**data: object) -> JsonObject:
    return {"target": "cashbox.check", "effect": "forge", "times": 1, "fields": {"Data": data}}


async def test_a_receipt_of_a_register_without_connection_is_one_without_a_link(selling: "Start") -> None:
    # given: a register without connection to the tax authority
    running = await selling()
    await running.sandbox.faults(forged(TicketUrl=None, OfflineMode=True))
    # when: an order is paid
    await running.paid()
    # then: its receipt has no link
    [sale] = await issued(running)
    assert sale.ticket_url == ""


@pytest.mark.parametrize("settings", [{"registration_number": "000000000001"}, {}])
async def test_a_return_names_the_register_also_where_the_sale_did_not(
    selling: "Start", settings: dict[str, str]
) -> None:
    """The settings know it, or another receipt of the same register does."""
    # given: a sale whose receipt names no register
    running = await selling(register=settings)
    await running.sandbox.faults(forged(Cashbox=None))
    order = await running.paid()
    await issued(running)
    if not settings:
        await running.paid()
        await issued(running, 2)
    # when: the order is refunded
    await refunded(running, order)
    # then: there is a receipt of the return
    await issued(running, 2 if settings else 3)


REFUSED: JsonObject = {"effect": "refuse", "code": 505}


@pytest.mark.parametrize("target", ["cashbox.history", "cashbox.authorize", "cashbox.zreport"])
async def test_failures_of_the_other_calls_lose_no_receipt(selling: "Start", target: str) -> None:
    """The reply is lost, and then whatever is asked next is cut, late, or refused."""
    # given: a register with an expired session and an old shift, and calls that fail in turn
    running = await selling()
    await running.paid()
    await issued(running)
    await running.sandbox.expire_sessions()
    await running.sandbox.age_shift(CASHBOX)
    await running.sandbox.faults(
        {"target": "cashbox.check", "effect": "lose_reply", "times": 1, "after": 1},
        *(
            {"target": target, "times": 1, "after": number, **effect}
            for number, effect in enumerate([{"effect": "drop"}, {"effect": "http_error"}, REFUSED])
        ),
    )
    await running.paid()
    await issued(running, 2)


async def test_an_outage_delays_receipts_only_and_loses_none(selling: "Start", sandbox: RunningSandbox) -> None:
    # given: a fiscal service that is down
    running = await selling()
    outage = await sandbox.faults({"target": "cashbox.check", "effect": "refuse", "code": 505})
    # when: orders are paid, and one is refunded
    orders = [await running.paid() for _ in range(3)]
    await refunded(running, orders[0])
    # then: payments go on, four receipts wait, and the service is not called in a tight loop
    await running.stage.events(OrderPaid, count=3)

    async def waiting() -> bool:
        return bool(running.metric("receipts_waiting", storefront="qazaq-esim") == 4)

    await running.stage.eventually(waiting)
    assert running.metric("receipts_oldest_seconds", storefront="qazaq-esim") > 0
    assert await sandbox.ledger_cashbox() == []
    # Nobody hammers a service that is away: the whole queue pauses together.
    asked = (await sandbox.active_faults())[-1]["hits"]
    assert asked < 20
    # when: the service is back
    await sandbox.client.delete(f"/control/faults/{outage[0]['id']}")
    # then: all four are issued
    events = await issued(running, 4)
    assert {event.kind for event in events} == {"sale", "sale_return"}


async def test_receipts_wait_for_an_unreachable_fiscal_service(selling: "Start") -> None:
    # given: a fiscal service that nobody can reach
    running = await selling(webkassa_url="http://127.0.0.1:9")
    # when: an order is paid
    await running.paid()
    # then: its receipt waits with the reason
    await running.until_rows("SELECT 1 AS found FROM work WHERE last_error LIKE 'authorize: ConnectError%'")
    assert running.metric("webkassa_calls_total", operation="authorize", outcome="away") >= 1


async def test_two_instances_take_turns(selling: "Start", stage: Stage) -> None:
    """One request at a time for each register, whoever has the receipt in hand."""
    # given: two instances, and a register that takes one request at a time
    running = await selling()
    url = running.service.settings.database_url
    await stage.service(build, Settings, **(_again(running) | {"database_url": url}))
    # when: eight orders are paid
    orders = [running.order_placed(order_number=str(20000000 + number)) for number in range(8)]
    await stage.publish(*orders, *(running.contact_of(order) for order in orders))
    pages = [await running.page(order) for order in orders]
    await asyncio.gather(*(running.sandbox.pay(page) for page in pages))
    # then: there are eight receipts, without a violation
    await issued(running, 8)

    # when: they are refunded
    approved = [running.refund_approved(order, PRICE) for order in orders]
    await stage.publish(*approved)
    # then: there are eight more
    await issued(running, 16)


async def test_turns_never_overlap(selling: "Start") -> None:
    """Many callers of two instances; the turn of an instance that has expired ends."""
    running = await selling()
    database = running.service.database
    owners = [uuid7(), uuid7()]
    inside, most = 0, 0

    async def nothing(tx: Tx) -> None:
        await tx.execute("SELECT 1")

    async def work(turns: Turns) -> None:
        nonlocal inside, most
        async with turns.turn(CASHBOX, nothing):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            inside -= 1

    async with database.transaction() as tx:
        for owner in owners:
            await tx.execute(
                "INSERT INTO instances (id, expires_at) VALUES (:id, clock_timestamp() + interval '1 minute')", id=owner
            )
    instances = [Turns(database, lambda owner=owner: owner) for owner in owners]  # type: ignore[misc] # a default
    await asyncio.gather(*(work(turns) for turns in instances * 5))
    assert most == 1
    async with database.transaction() as tx:
        await tx.execute("UPDATE register_turns SET holder = :id", id=uuid7())
    await work(instances[0])


async def test_a_receipt_of_a_killed_instance_is_found_and_not_issued_again(selling: "Start") -> None:
    """The turn ends with the leases of the instance."""
    # given: an instance that is lost while the register is at work for it
    running = await selling()
    await running.sandbox.faults({"target": "cashbox.check", "effect": "delay", "seconds": 0.8, "times": 1})
    order = await running.paid()
    await running.until_rows("SELECT 1 AS found FROM register_turns WHERE holder IS NOT NULL")
    owner = running.service.task_worker.owner
    async with running.service.database.transaction() as tx:
        await tx.execute("DELETE FROM instances WHERE id = :owner", owner=owner)
        await tx.execute("UPDATE work SET owner = NULL, state = 'unknown' WHERE owner = :owner", owner=owner)
    # then: another one finds the receipt
    [event] = await issued(running)
    assert event.order_id == order.order_id


async def test_storefronts_without_a_register_get_no_receipts(selling: "Start") -> None:
    # given: an order of a shop without a register
    running = await selling()
    order = await running.ordered(storefront="esimka")

    async def page() -> Json:
        answer = await running.post(f"/orders/{order.order_id}/payment", key="other-key")
        return answer.json() if answer.status_code == 200 else None

    # when: the order is paid
    await running.sandbox.pay(await running.stage.eventually(page))
    await running.paid_event(order)
    # then: there is no receipt and no call
    await running.quiet()
    assert await running.rows("SELECT 1 AS found FROM receipts") == []
    assert await running.sandbox.requests(path="/webkassa") == []


async def test_a_refund_of_an_order_sold_before_there_was_a_register(start: "Start", selling: "Start") -> None:
    # given: an order that was paid before its shop had a register
    before = await start()
    # Without any register nothing rides in the transactions but work and events.
    assert before.service.database.participants == [before.service.task_worker, before.service.outbox]
    order = await before.paid()
    url = before.service.settings.database_url
    # when: it is refunded when the shop has one
    running = await selling(database_url=url)
    await refunded(running, order)
    # then: there is no receipt
    await running.quiet()
    assert await running.rows("SELECT 1 AS found FROM receipts") == []


async def test_a_receipt_with_invalid_content_waits_for_a_person(selling: "Start") -> None:
    # given: a receipt that the register refuses for its content
    running = await selling()
    await running.sandbox.faults({"target": "cashbox.check", "effect": "refuse", "code": 9, "times": 1})
    order = await running.paid()
    # then: it waits for a person, and agents see why
    [row] = await running.until_rows("SELECT key, last_error FROM work WHERE state = 'parked'")
    assert "code 9" in row["last_error"]
    path = f"/orders/{order.order_id}/receipts"
    [shown] = (await running.get(path)).json()["receipts"]
    assert (shown["state"], shown["receipt_id"], shown["why"]) == ("parked", row["key"], row["last_error"])
    # when: an agent, and nobody else, has it tried again
    again = f"/receipts/{row['key']}/retry"
    assert (await running.post(again)).status_code == 401
    assert (await running.post(again, key="agent-key")).status_code == 202
    # then: it is issued, and cannot be tried again
    [event] = await issued(running)
    [shown] = (await running.get(path)).json()["receipts"]
    assert (shown["state"], shown["ticket_url"]) == ("issued", event.ticket_url)
    assert (await running.post(again, key="agent-key")).status_code == 409
    assert (await running.get(f"/orders/{row['key']}/receipts")).status_code == 404
    assert (await running.get(path, key="shop-key")).status_code == 401


def _again(running: "Payments") -> JsonObject:
    """The settings of a second instance of a running service."""
    left_out = {"database_url", "kafka_bootstrap_servers", "topic_prefix", "http_port"}
    settings = running.service.settings
    return {name: getattr(settings, name) for name in settings.model_fields_set - left_out}
