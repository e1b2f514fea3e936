"""Each invariant is broken by forged facts, names the order, and ends when it is mended."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from operations.invariants.rules import ALL, OrderInvariant
from shared.contracts import (
    BuyerErasureRequested,
    Event,
    NotificationsBuyerErased,
    PaymentsBuyerErased,
    ProfileGenerated,
    ProvisioningBuyerErased,
    RefundsBuyerErased,
)
from shared.ids import uuid7
from shared.testing.documents import Json, JsonObject

if TYPE_CHECKING:
    from deploy.operations.tests.conftest import Life, Start


HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def broken_orders(life: "type[Life]") -> dict[str, tuple["Life", list[Event], list[Event]]]:
    """By invariant: an order that breaks it, its facts, and the facts that mend it (none, where nothing can)."""
    now = datetime.now(UTC)
    hour, receipts = life(now - 2 * HOUR, "qazaq-esim"), life(now - 3 * HOUR, "qazaq-esim")
    unpaid, late, overdue, future = life(now - HOUR), life(now - 20 * DAY), life(now - 30 * DAY), life(now - HOUR)
    given, made, twice, silent = life(now - HOUR), life(now - HOUR), life(now - HOUR), life(now - HOUR)
    failed, beyond, price, surplus = life(now - HOUR), life(now - HOUR), life(now - HOUR), life(now - HOUR)
    both = life(now - HOUR)
    return {
        "paid_without_outcome": (unpaid, [unpaid.placed(), unpaid.paid()], [unpaid.generated(), unpaid.delivered()]),
        "delivered_without_payment": (given, [given.placed(), given.delivered()], [given.paid(), given.generated()]),
        "profile_without_payment": (made, [made.placed(), made.generated()], [made.paid(), made.delivered()]),
        "two_profiles": (twice, [*twice.smooth(), twice.generated("8999702000000000002")], []),
        "code_not_delivered": (silent, silent.smooth()[:3], silent.smooth()[3:]),
        "failed_without_case": (failed, [failed.placed(), failed.paid(), failed.failed()], [failed.requested()]),
        "refund_late": (late, [*late.smooth(), late.requested(), late.approved(), late.revoked()], [late.settled()]),
        "refunded_while_usable": (
            both,
            [*both.smooth(), both.requested(), both.approved(), both.settled()],
            [both.revoked()],
        ),
        "refunded_beyond_paid": (
            beyond,
            [
                *beyond.smooth(),
                beyond.requested(),
                beyond.revoked(),
                beyond.settled(1000),
                beyond.settled(501, uuid7()),
            ],
            [],
        ),
        "price_differs": (price, [*price.smooth()[::2], price.delivered(), price.paid(paid=price.cheap)], []),
        "receipt_missing": (hour, [*receipts.smooth(), receipts.receipt(), *hour.smooth()], [hour.receipt()]),
        "case_overdue": (overdue, [*overdue.smooth(), overdue.requested()], [overdue.approved(pay_by=now + DAY)]),
        "surplus_without_case": (surplus, [*surplus.smooth(), surplus.charged_twice()], [surplus.requested()]),
        "from_the_future": (future, [*future.smooth()[1:], future.placed(placed_at=now + HOUR)], []),
    }


@pytest.mark.long
async def test_each_rule_finds_the_order_that_breaks_it_and_lets_go_of_it_when_it_is_mended(
    start: "Start", life: "type[Life]"
) -> None:
    running = await start()
    cases = broken_orders(life)
    fresh, smooth, nobody = life(), life(datetime.now(UTC) - DAY), life()
    asked = BuyerErasureRequested(
        buyer_id=nobody.buyer_id, storefront="esimka", request_id=uuid7(), requested_at=nobody.at - 25 * HOUR
    )
    confirmation: JsonObject = {"buyer_id": asked.buyer_id, "request_id": asked.request_id, "erased_at": nobody.at}
    assert set(cases) | {"erasure_unconfirmed"} == {one.name for one in ALL if isinstance(one, OrderInvariant)}

    await running.known(*(fact for _, facts, _ in cases.values() for fact in facts))
    await running.known(fresh.placed(), fresh.paid(), *smooth.smooth(), asked, PaymentsBuyerErased(**confirmation))
    await running.evaluated()

    async def found(name: str) -> set[str]:
        state = (await running.get(f"/invariants/{name}")).json()
        assert state["violations"] == len(state["open"])
        return {one["order_number"] or one["subject"] for one in state["open"]}

    expected = {name: {one.order_number} for name, (one, _, _) in cases.items()}
    expected["code_not_delivered"] |= {cases["profile_without_payment"][0].order_number}
    expected["erasure_unconfirmed"] = {str(asked.request_id)}
    assert {name: await found(name) for name in expected} == expected
    [erasure] = (await running.get("/invariants/erasure_unconfirmed")).json()["open"]
    assert erasure["detail"] == {"missing": "provisioning, notifications, refunds"}
    metrics = (await running.get("/metrics", key=None)).text
    assert 'invariant_violations{invariant="code_not_delivered",severity="page"} 2.0' in metrics
    assert 'invariant_violations{invariant="receipt_missing",severity="ticket"} 1.0' in metrics

    others = (
        ProvisioningBuyerErased(**confirmation),
        NotificationsBuyerErased(**confirmation),
        RefundsBuyerErased(**confirmation),
    )
    await running.known(*others, *(fact for _, _, facts in cases.values() for fact in facts))
    await running.evaluated()

    for_ever = {name for name, (_, _, mended) in cases.items() if not mended}
    after = {name: await found(name) for name in expected}
    assert {name for name, orders in after.items() if orders} == for_ever
    ended = (await running.get("/invariants/erasure_unconfirmed")).json()["resolved"]
    assert [one["subject"] for one in ended] == [str(asked.request_id)]
    assert ended[0]["resolved_at"] >= ended[0]["first_seen_at"]


async def test_an_order_is_not_missed_while_its_facts_wait_to_be_read(
    start: "Start", life: "type[Life]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """The payment is read, an hour old; what followed it stands on a topic that is not read yet."""
    for patience in ("STALLED_SECONDS", "STARVED_SECONDS"):  # the consumer would mend itself in the middle of the test
        monkeypatch.setattr(f"shared.messaging.progress.{patience}", 600.0)
    running = await start()
    order = life(datetime.now(UTC) - HOUR)
    subscription = running.service._subscription
    assert subscription is not None
    consumer = subscription.consumer
    assert consumer is not None

    async def all_begun() -> bool:
        return len(subscription.progress.places) == len(consumer.assignment()) > 0

    await running.stage.eventually(all_begun)  # until then a pause is the subscription's own, which ends it
    held = [place for place in consumer.assignment() if place.topic.endswith(ProfileGenerated.topic)]
    assert held
    consumer.pause(*held)
    await running.stage.publish(order.generated())
    await running.known(order.placed(), order.paid(), order.delivered())
    before = (await running.rows("SELECT max(evaluated_at) AS at FROM evaluations"))[0]["at"] or order.at
    sql = "SELECT bool_and(evaluated_at > :at) AS done FROM evaluations WHERE invariant IN ('work_parked', 'work_late')"

    async def evaluated_since(moment: datetime) -> Json:
        return (await running.rows(sql, at=moment))[0]["done"]

    for moment in (before, running.clock.now(), running.clock.now() + timedelta(seconds=0.5)):
        await running.stage.eventually(partial(evaluated_since, moment))
    found = "SELECT * FROM violations WHERE order_id = :id"
    assert await running.rows(found, id=order.order_id) == []
    # It sees that it is behind, and says so when that lasts.
    running.clock.by = timedelta(minutes=6)
    await running.stage.eventually(lambda: running.open("watch_behind"))
    consumer.resume(*held)
    await running.evaluated()
    assert await running.rows(found, id=order.order_id) == []
    await running.stage.eventually(partial(running.holds, "watch_behind"))


async def test_a_rule_may_be_given_more_time(start: "Start", life: "type[Life]") -> None:
    running = await start(invariant_seconds={"paid_without_outcome": 7200})
    order = life(datetime.now(UTC) - HOUR)
    await running.known(order.placed(), order.paid())
    await running.evaluated()
    assert await running.open("paid_without_outcome") == []
    running.clock.by = HOUR + timedelta(minutes=1)
    await running.evaluated()
    assert await running.open("paid_without_outcome") == [str(order.order_id)]


async def test_every_invariant_says_what_it_means(start: "Start") -> None:
    for one in ALL:
        assert one.title.endswith("."), one.name
        assert len(one.meaning.split()) > 15, one.name
    assert len({one.name for one in ALL}) == len(ALL) >= 15


async def test_a_code_that_was_kept_by_decision_is_an_alarm_only_once_it_is_used(
    start: "Start", life: "type[Life]"
) -> None:
    """I13: the law may demand the money although a phone has the profile; whoever then uses it has both."""
    running = await start()
    order = life(datetime.now(UTC) - HOUR)
    await running.known(*order.smooth(), order.requested(), order.approved(code="kept"), order.settled())
    await running.evaluated()
    assert await running.open("refunded_while_usable") == []
    await running.known(order.observed(order.at + timedelta(minutes=30)))
    await running.evaluated()
    assert await running.open("refunded_while_usable") == [str(order.refund_id)]
