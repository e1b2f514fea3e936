"""One order is one trace through all five services, and no trace, log or event tells who the buyer is."""

import json
import time
from collections.abc import Mapping

import pytest

from product.faults import NO_SUCH_PROFILE
from product.harness import Running
from product.judge import until
from product.privacy import leaks, published
from product.shop import Buyer, Order
from product.traces import Tasks, Trace, files, read
from shared.contracts import BuyerContact
from shared.messaging.cloudevents import to_wire
from shared.telemetry.tracing import new_traceparent

#: Every hop over Kafka: the topic and who reads it.
DELIVERY = {
    "ordering.order-placed": {"payments"},
    "ordering.buyer-contact": {"payments", "notifications", "refunds"},
    "payments.order-paid": {"ordering", "provisioning", "refunds", "notifications"},
    "provisioning.profile-generated": {"ordering", "notifications", "refunds"},
    "notifications.qr-delivered": {"ordering", "refunds"},
}
RETURN = {
    "ordering.order-placed": {"payments"},
    "payments.order-paid": {"ordering", "provisioning", "refunds", "notifications"},
    "provisioning.profile-failed": {"ordering", "refunds", "notifications"},
    "refunds.refund-requested": {"ordering", "provisioning"},
    "refunds.refund-approved": {"ordering", "payments", "notifications", "provisioning"},
    "payments.refund-settled": {"ordering", "refunds", "notifications"},
}
#: Work, the span it hangs below, the calls it makes and the events that follow from it.
DELIVERY_WORK = {
    ("payments", "check_status"): ("process ordering.order-placed", {"epay check_status"}, {"payments.order-paid"}),
    ("provisioning", "provision"): (
        "process payments.order-paid",
        {"ES2+ downloadOrder", "ES2+ confirmOrder"},
        {"provisioning.profile-generated"},
    ),
    ("notifications", "deliver_qr"): (
        "process provisioning.profile-generated",
        {"mail qr"},
        {"notifications.qr-delivered"},
    ),
}
RETURN_WORK = {
    ("provisioning", "provision"): ("process payments.order-paid", {"ES2+ downloadOrder"}, set()),
    # Refused by the first operator, the order goes to the next one.
    ("provisioning", "provision:secondary"): (
        "work provision",
        {"ES2+ downloadOrder"},
        {"provisioning.profile-failed"},
    ),
    ("payments", "refund"): ("process refunds.refund-approved", {"epay refund"}, {"payments.refund-settled"}),
    ("notifications", "mail_refund"): ("process refunds.refund-approved", {"mail refund"}, set()),
}
#: Work that looks at many orders at once, or at none.
TIMERS = {"work clear_sessions", "work derive_statuses", "work watch_orders", "work watch_expiry", "work watch_plan"}


def check(trace: Trace, hops: Mapping[str, set[str]], work: Tasks) -> None:
    for topic, readers in hops.items():
        sent = trace.one(topic.partition(".")[0], f"send {topic}")
        assert sent["kind"] == "PRODUCER"
        for reader in readers:
            processed = trace.one(reader, f"process {topic}")
            assert (processed["kind"], processed["parent"]) == ("CONSUMER", sent["span"]), (reader, topic)
    for (service, kind), (cause, calls, events) in work.items():
        worked = trace.one(service, f"work {kind}")
        assert worked["parent"] == trace.one(service, cause)["span"], (service, kind)
        made = {span["name"]: span["kind"] for span in trace.below(worked)}
        assert {call: made.get(call) for call in calls} == dict.fromkeys(calls, "CLIENT"), (service, kind)
        for topic in events:
            assert trace.one(service, f"send {topic}")["parent"] == worked["span"], topic


@pytest.mark.parametrize("way", ["place", "submit"])
async def test_a_delivered_order_is_one_trace(running: Running, way: str) -> None:
    began = time.time_ns()
    parent = new_traceparent(sampled=True)
    order = await getattr(running.shop, way)(traceparent=parent)
    await running.shop.pay(order)
    await running.judge.delivered([order])
    await until(lambda: missing(running, parent, DELIVERY, DELIVERY_WORK))
    trace = Trace(running.product, parent)
    check(trace, DELIVERY, DELIVERY_WORK)
    first = trace.one("ordering", "POST /orders" if way == "place" else "process storefront.esimka.orders")
    assert first["parent"] == parent[36:52]
    assert trace.one("ordering", "send ordering.order-placed")["parent"] == first["span"]
    assert "epay token" in {span["name"] for span in trace.spans}
    # Nothing that was done for this order is anywhere else; a caller without a trace begins one for its request.
    spans = [span for path in files(running.product) for span in read(path)]
    older = {span["trace"] for span in spans if span["start"] <= began}  # profiles of other tests are still watched
    strangers = [
        span
        for span in spans
        if span["start"] > began and span["trace"] not in {parent[3:35], *older} and span["kind"] != "SERVER"
    ]
    assert [span for span in strangers if span["name"] not in TIMERS] == []


async def test_a_refunded_order_is_one_trace(running: Running) -> None:
    await running.sandbox.faults(NO_SUCH_PROFILE)
    parent = new_traceparent(sampled=True)
    order = await running.shop.place(traceparent=parent)
    await running.shop.pay(order)
    await running.judge.refunded([order])
    await until(lambda: missing(running, parent, RETURN, RETURN_WORK))
    check(Trace(running.product, parent), RETURN, RETURN_WORK)


async def missing(running: Running, parent: str, hops: Mapping[str, set[str]], work: Tasks) -> str:
    return Trace(running.product, parent).missing(hops, work)


async def test_nobody_can_read_who_bought_and_what_opens_the_profile(running: Running) -> None:
    """Also where something goes wrong: others' words that repeat the data, and records that end as dead letters."""
    buyer = Buyer()
    echo = f"{buyer.name} <{buyer.email}> {buyer.phone}"
    await running.sandbox.faults(
        {"target": "mail", "effect": "refuse", "status": 451, "message": echo, "times": 1},
        {"target": "bank.check_status", "effect": "http_error", "body": {"message": echo}, "times": 1},
        {"target": "operator.download_order", "effect": "http_error", "body": {"message": echo}, "times": 1},
    )
    order = await running.shop.buy(buyer=buyer)
    await running.judge.delivered([order])
    await broken_contact(running, order)
    readers = ("payments", "notifications", "refunds")
    await running.judge.put_aside(dict.fromkeys(readers, 1))
    secrets = await secrets_of(running, order)
    assert not leaks(running.product, secrets)
    assert not await published(running.product, secrets)
    for name in readers:
        await running.product.forgive(name)


async def broken_contact(running: Running, order: Order) -> None:
    """A record that cannot be applied, full of personal data."""
    buyer = order.buyer
    headers = {"ce_specversion": "1.0", "ce_id": "1", "ce_type": BuyerContact.ce_type(), "x": buyer.email}
    body = {"buyer_id": buyer.email, "name": buyer.name, "phone": buyer.phone}
    await running.topics.raw(BuyerContact.topic, b"k", json.dumps(body).encode(), to_wire(headers))


async def secrets_of(running: Running, order: Order) -> set[str]:
    [profile] = await running.judge.new_profiles()
    [charge] = await running.judge.charges(order)
    return {profile["matchingId"], charge["secretHash"]}
