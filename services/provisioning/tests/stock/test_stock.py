"""Profiles in stock, generated before they are sold."""

import asyncio
from typing import TYPE_CHECKING

from sandbox.testing import RunningSandbox
from shared.contracts import ProfileFailed, ProfileGenerated
from shared.database import Tx

if TYPE_CHECKING:
    from services.provisioning.tests.conftest import Provisioning, Start


POOL = {"operator": "primary", "profile_type": "TR-STD", "low": 2, "high": 6}


async def _level(running: "Provisioning") -> dict[str, int]:
    rows = await running.rows("SELECT state, count(*) AS n FROM stock_profiles GROUP BY state")
    return {row["state"]: row["n"] for row in rows}


async def _filled(running: "Provisioning", count: int = 6) -> None:
    async def full() -> bool:
        return (await _level(running)).get("ready", 0) >= count

    await running.stage.eventually(full)


async def _no_calls(running: "Provisioning") -> None:
    """From now on the operator makes nothing: whatever is delivered comes from stock."""
    await running.sandbox.faults({"target": "operator.download_order", "effect": "http_error", "status": 429})


async def test_an_order_is_served_from_stock_without_any_call(start: "Start") -> None:
    running = await start(stock=[POOL])
    await _filled(running)
    await _no_calls(running)
    before = len(await running.sandbox.requests("es2plus"))
    orders = await asyncio.gather(*(running.paid() for _ in range(4)))
    made = await running.stage.events(ProfileGenerated, count=4)
    assert {one.event.order_id for one in made} == {order.order_id for order in orders}
    books = {one["iccid"]: one for one in await running.sandbox.ledger_operator()}
    assert len({one.event.iccid for one in made}) == 4, "one profile for each"
    for one in made:
        code = running.opener.open(one.event.activation_code).decode()
        assert code == f"LPA:1$smdp.sandbox.example${books[one.event.iccid]['matchingId']}"
    served = await running.sandbox.requests("es2plus")
    assert len(served) == before or (await _level(running))["ready"] == 2  # only refilling may have called
    seen = (await running.get(f"/profiles/{orders[0].order_id}")).json()
    assert (seen["state"], seen["from_stock"], seen["attempts"]) == ("generated", True, 0)
    assert await running.rows("SELECT 1 FROM work WHERE kind = 'provision'") == []


async def test_beyond_the_stock_orders_are_made_and_the_pool_fills_again(start: "Start") -> None:
    running = await start(stock=[POOL | {"low": 3}])
    await _filled(running)
    orders = await asyncio.gather(*(running.paid() for _ in range(15)))
    made = await running.stage.events(ProfileGenerated, count=15)
    assert {one.event.order_id for one in made} == {order.order_id for order in orders}
    assert len({one.event.iccid for one in made}) == 15
    await _filled(running)
    metrics = (await running.get("/metrics")).text
    assert 'stock_profiles{operator="primary",profile_type="TR-STD",state="ready"}' in metrics
    [primary] = (await running.get("/operators")).json()
    assert (primary["stock"][0]["low"], primary["stock"][0]["high"]) == (3, 6)
    assert primary["stock"][0]["ready"] >= 4


async def test_two_instances_never_give_one_profile_to_two_orders(start: "Start") -> None:
    first = await start(stock=[POOL | {"low": 20, "high": 40}])
    await _filled(first, 40)
    second = await start(stock=[POOL], database_url=first.service.settings.database_url)
    orders = await asyncio.gather(*(first.paid() for _ in range(40)))
    made = await first.stage.events(ProfileGenerated, count=40)
    assert len({one.event.iccid for one in made}) == 40
    again = await asyncio.gather(*(second.stage.publish(order) for order in orders))  # the same facts, published again
    assert len(again) == 40
    await first.stage.eventually(lambda: _settled(first))
    assert len(await first.stage.all_events(ProfileGenerated)) == 40
    taken = await first.rows("SELECT order_id FROM stock_profiles WHERE state = 'assigned'")
    assert len({row["order_id"] for row in taken}) == len(taken)


async def _settled(running: "Provisioning") -> bool:
    return len(await running.rows("SELECT 1 FROM work WHERE kind IN ('provision', 'stock')")) == 0


async def test_what_is_too_old_is_given_back_and_made_anew(start: "Start") -> None:
    running = await start(stock=[POOL | {"high": 3}])
    await _filled(running, 3)
    old = {row["iccid"] for row in await running.rows("SELECT iccid FROM stock_profiles")}
    async with running.service.database.transaction() as tx:
        await _age(tx)

    async def renewed() -> bool:
        books = await running.sandbox.ledger_operator()
        gone = {one["iccid"] for one in books if one["state"] == "cancelled"}
        fresh = {one["iccid"] for one in books if one["state"] == "released"}
        return old == gone and len(fresh) == 3 and (await _level(running)).get("ready") == 3

    await running.stage.eventually(renewed)
    left = await running.rows("SELECT DISTINCT state FROM stock_profiles WHERE withdrawn_at IS NULL")
    assert [row["state"] for row in left] == ["ready"]


async def _age(tx: Tx) -> None:
    await tx.execute("UPDATE stock_profiles SET usable_until = :now", now=tx.now)


async def test_a_pool_that_is_closed_is_given_back(start: "Start") -> None:
    first = await start(stock=[POOL | {"high": 3}])
    await _filled(first, 3)
    await first.stage.stop(first.service)  # both would take turns at the same timer
    await start(stock=[POOL | {"low": 0, "high": 0}], database_url=first.service.settings.database_url)

    async def given_back() -> bool:
        books = await first.sandbox.ledger_operator()
        return len([one for one in books if one["state"] == "cancelled"]) >= 3

    await first.stage.eventually(given_back)


async def test_aged_stock_is_not_sold_even_before_it_is_thrown_out(start: "Start") -> None:
    running = await start(stock=[POOL | {"high": 3, "max_age_days": 1e-9}])

    async def made_and_spoiled() -> bool:
        return (await _level(running)).get("spoiled", 0) >= 3

    await running.stage.eventually(made_and_spoiled)
    order = await running.paid()
    [made] = await running.stage.events(ProfileGenerated)
    assert made.event.order_id == order.order_id
    assert (await running.get(f"/profiles/{order.order_id}")).json()["from_stock"] is False


async def test_no_stock_is_ordered_right_after_a_refusal(start: "Start", sandbox: RunningSandbox) -> None:
    await sandbox.faults({"target": "operator.download_order", "effect": "out_of_stock"})
    running = await start(stock=[POOL], operator_timeout_seconds=10.0)

    async def failed() -> bool:
        return (await _level(running)).get("failed", 0) == 6

    await running.stage.eventually(failed)
    [primary] = (await running.get("/operators")).json()
    assert "8.2.5/3.7" in primary["stock"][0]["refused"]
    order = await running.paid()
    [event] = await running.stage.events(ProfileFailed)
    assert event.event.order_id == order.order_id
    downloads = [r for r in await sandbox.requests("es2plus") if r["path"].endswith("downloadOrder")]
    assert len(downloads) == 7, "six for the stock, one for the buyer, and none more"


async def test_a_half_made_profile_of_the_stock_is_withdrawn(start: "Start", sandbox: RunningSandbox) -> None:
    refuse = {"effect": "refuse", "subjectCode": "8.2.6", "reasonCode": "2.1", "times": 1}
    await sandbox.faults({"target": "operator.confirm_order", **refuse})
    running = await start(stock=[POOL | {"high": 3}])

    async def cancelled() -> bool:
        books = await sandbox.ledger_operator()
        return [one["state"] for one in books].count("cancelled") == 1

    await running.stage.eventually(cancelled)
    assert (await _level(running))["failed"] == 1


async def test_stock_of_the_second_operator_serves_where_the_first_has_none(
    start: "Start", sandbox: RunningSandbox
) -> None:
    both = [
        {"name": name, "url": sandbox.operator_url_of(name), "iccid_prefix": prefix, "timeout_seconds": 1.0}
        for name, prefix in (("primary", "8999702"), ("secondary", "8999703"))
    ]
    running = await start(
        operators=both,
        routes={"*": {"*": [{"operator": "primary"}, {"operator": "secondary"}]}},
        stock=[POOL | {"operator": "secondary"}],
    )
    await _filled(running)
    order = await running.paid()
    [made] = await running.stage.events(ProfileGenerated)
    assert (made.event.order_id, made.event.operator) == (order.order_id, "secondary")
    assert await sandbox.ledger_operator(operator="primary") == []
