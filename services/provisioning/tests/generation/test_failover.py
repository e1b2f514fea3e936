"""Two operators that sell the same plan: failover, withdrawal, and isolation of a failing operator."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from provisioning.tables import profiles
from sandbox.testing import RunningSandbox
from shared.contracts import Money, OrderPaid, Plan, ProfileFailed, ProfileGenerated
from shared.ids import uuid7
from shared.testing.documents import Json, JsonObject

if TYPE_CHECKING:
    from services.provisioning.tests.conftest import Provisioning, Start


ROUTES = {"*": {"*": [{"operator": "primary"}, {"operator": "secondary"}]}}
#: Rules of the sandbox for one operator only.
PRIMARY = {"match": {"operator": "primary"}}
SECONDARY = {"match": {"operator": "secondary"}}


def operators(sandbox: RunningSandbox, **changes: object) -> list[JsonObject]:
    """Both operators of the sandbox."""
    return [
        {
            "name": name,
            "url": sandbox.operator_url_of(name),
            "usage_url": f"{sandbox.operator_url_of(name)}/usage",
            "iccid_prefix": prefix,
            "timeout_seconds": 3.0,
            "concurrency": 8,
            **changes,
        }
        for name, prefix in (("primary", "8999702"), ("secondary", "8999703"))
    ]


def _order_paid() -> OrderPaid:
    plan = Plan(id="tr-5gb", title="TR", coverage=("TR",), data_mb=5, validity_days=30, profile_type="TR-STD")
    paid = {"paid": Money(amount=1500, currency="USD"), "invoice_id": "1000001", "paid_at": datetime.now(UTC)}
    same = {"order_id": uuid7(), "order_number": "10000001", "storefront": "esimka", "buyer_id": uuid7()}
    return OrderPaid(kind="esim", plan=plan, **same, **paid)


async def _usable(running: "Provisioning") -> list[JsonObject]:
    """What the operators' own ledgers hold that a phone could download."""
    books = [await running.sandbox.ledger_operator(operator=name) for name in ("primary", "secondary")]
    return [one for book in books for one in book if one["state"] in ("confirmed", "released")]


async def test_out_of_stock_goes_to_the_next_operator_at_once(start: "Start", sandbox: RunningSandbox) -> None:
    routes = {"*": {"TR-STD": [{"operator": "primary"}, {"operator": "secondary", "profile_type": "turk-5"}]}}
    running = await start(operators=operators(sandbox), routes=routes)
    await sandbox.faults({"target": "operator.download_order", "effect": "out_of_stock", **PRIMARY})
    order = await running.paid()
    [made] = await running.stage.events(ProfileGenerated)
    assert (made.event.operator, made.event.iccid[:7]) == ("secondary", "8999703")
    [usable] = await _usable(running)
    assert (usable["iccid"], usable["profileType"]) == (made.event.iccid, "turk-5")
    assert await sandbox.ledger_operator(operator="primary") == []
    seen = (await running.get(f"/profiles/{order.order_id}")).json()
    assert (seen["operator"], seen["profile_type"], seen["state"]) == ("secondary", "turk-5", "generated")
    [left] = seen["left"]
    assert (left["operator"], left["state"], left["attempts"]) == ("primary", "refused", 1)
    assert [(s["subject_code"], s["reason_code"]) for s in left["statuses"]] == [("8.2.5", "3.7")]
    assert await running.rows("SELECT 1 FROM work WHERE kind LIKE 'withdraw%'") == []


async def test_lost_replies_and_then_silence_never_leave_two_usable_profiles(
    start: "Start", sandbox: RunningSandbox
) -> None:
    """primary makes the profile, but its replies are lost: the buyer gets secondary's, and primary's is cancelled."""
    running = await start(operators=operators(sandbox), routes=ROUTES, failover_attempts=2)
    await sandbox.faults(
        {"target": "operator.confirm_order", "effect": "lose_reply", **PRIMARY},
        {"target": "operator.release_profile", "effect": "drop", **PRIMARY},
        {"target": "operator.cancel_order", "effect": "http_error", "status": 503, "times": 2, **PRIMARY},
    )
    order = await running.paid()
    [made] = await running.stage.events(ProfileGenerated)
    assert made.event.operator == "secondary"
    [abandoned] = await sandbox.ledger_operator(operator="primary")
    assert abandoned["state"] in ("released", "cancelled")  # it was really made

    async def withdrawn() -> bool:
        seen = (await running.get(f"/profiles/{order.order_id}")).json()
        return bool(seen["left"][0]["withdrawn_at"])

    await running.stage.eventually(withdrawn)
    [usable] = await _usable(running)
    assert usable["iccid"] == made.event.iccid
    [abandoned] = await sandbox.ledger_operator(operator="primary")
    assert abandoned["state"] == "cancelled"
    code = running.opener.open(made.event.activation_code).decode()
    assert code == f"LPA:1$secondary.smdp.sandbox.example${usable['matchingId']}"


async def test_when_all_fail_the_failure_carries_all_codes_and_a_sentence(
    start: "Start", sandbox: RunningSandbox
) -> None:
    running = await start(operators=operators(sandbox), routes=ROUTES)
    refuse = {"target": "operator.download_order", "effect": "refuse"}
    await sandbox.faults(
        {**refuse, "subjectCode": "8.2.5", "reasonCode": "3.9", **PRIMARY},
        {"target": "operator.download_order", "effect": "out_of_stock", **SECONDARY},
    )
    order = await running.paid()
    [failed] = await running.stage.events(ProfileFailed)
    assert [(s.subject_code, s.reason_code) for s in failed.event.statuses] == [("8.2.5", "3.9"), ("8.2.5", "3.7")]
    assert failed.event.reason.startswith("No operator made the profile; primary: ")
    assert "8.2.5/3.9" in failed.event.reason
    assert "secondary: " in failed.event.reason
    assert (await running.profile(order.order_id))["state"] == "failed"
    assert await _usable(running) == []


async def test_an_operator_that_was_unavailable_for_a_while_is_tried_again(
    start: "Start", sandbox: RunningSandbox
) -> None:
    """Both refuse to answer; primary, which surely made nothing, gets the order when it is back."""
    running = await start(operators=operators(sandbox, breaker_seconds=0.1), routes=ROUTES, failover_attempts=1)
    await sandbox.faults(
        {"target": "operator.download_order", "effect": "http_error", "status": 429, "times": 1, **PRIMARY},
        {"target": "operator.download_order", "effect": "http_error", "status": 429, **SECONDARY},
    )
    order = await running.paid()
    [made] = await running.stage.events(ProfileGenerated)
    assert made.event.operator == "primary"
    [usable] = await _usable(running)
    assert usable["iccid"] == made.event.iccid
    seen = (await running.get(f"/profiles/{order.order_id}")).json()
    assert {(left["operator"], left["state"]) for left in seen["left"]} == {
        ("primary", "waiting"),
        ("secondary", "waiting"),
    }
    assert seen["attempts"] == 3


async def test_an_open_breaker_turns_orders_over_at_once_and_closes_by_one_probe(
    start: "Start", sandbox: RunningSandbox
) -> None:
    running = await start(
        operators=operators(sandbox, breaker_failures=3, breaker_seconds=3.0, breaker_longest_seconds=3.0),
        routes={"esimka": ROUTES["*"]},
        failover_attempts=3,
    )
    await sandbox.faults({"target": "operator.download_order", "effect": "drop", **PRIMARY})
    await running.paid()
    await running.stage.events(ProfileGenerated)

    async def primary() -> Json:
        return (await running.get("/operators")).json()[0]

    assert (await primary())["orders"]["breaker"] in ("open", "half_open")
    assert (await primary())["orders"]["last_outcome"] == "Unknown"
    metrics = (await running.get("/metrics")).text
    assert 'operator_breaker{operator="primary",port="orders"} 0.0' not in metrics
    assert 'operator_breaker{operator="primary",port="feed"} 0.0' in metrics
    before = len(await sandbox.requests("/operator/"))
    await asyncio.gather(*(running.paid() for _ in range(20)))
    made = await running.stage.events(ProfileGenerated, count=21)
    assert {one.event.operator for one in made} == {"secondary"}
    assert len(await sandbox.requests("/operator/")) - before < 10, "calls to an unavailable operator are held back"
    await sandbox.clear_faults()

    async def healed() -> bool:
        await running.paid()
        return bool((await primary())["orders"]["breaker"] == "closed")

    await running.stage.eventually(healed)
    await running.paid()
    await running.stage.events(ProfileGenerated, where=lambda event: event.operator == "primary")


async def test_an_operator_that_does_not_answer_delays_its_own_orders_only(
    start: "Start", sandbox: RunningSandbox
) -> None:
    """Every call to primary lasts until its timeout; esimka, which buys from secondary, has its usual times."""
    running = await start(
        operators=operators(sandbox, timeout_seconds=10.0, breaker_failures=10_000),
        routes={"esimka": {"*": [{"operator": "secondary"}]}},
    )

    async def seconds(count: int) -> list[float]:
        found = []
        for _ in range(count):
            began = time.monotonic()
            order: OrderPaid = await running.paid(storefront="esimka")

            async def made(order: OrderPaid = order) -> bool:
                return bool((await running.profile_state(order.order_id)) == "generated")

            await running.stage.eventually(made)
            found.append(time.monotonic() - began)
        return sorted(found)

    usual = await seconds(15)
    await sandbox.faults({"target": "operator.download_order", "effect": "latency", "seconds": 30, **PRIMARY})
    await asyncio.gather(*(running.paid(storefront="qazaq-esim") for _ in range(60)))

    async def hanging() -> bool:
        [primary, _] = (await running.get("/operators")).json()
        return bool(primary["in_flight"] == 8 and primary["waiting_orders"] == 60)

    await running.stage.eventually(hanging)
    beside = await seconds(15)
    await running.stage.eventually(hanging)  # the operator was unavailable during the whole measurement
    assert beside[7] < max(3 * usual[7], 1.0)
    assert beside[-1] < 9.5, "nobody waited for a timeout of primary"


async def test_a_call_that_arrives_after_the_withdrawal_is_withdrawn_too(
    start: "Start", sandbox: RunningSandbox
) -> None:
    """A worker was paused before its call, or a gateway held it back: the first cancellation affects nothing."""
    running = await start(operators=operators(sandbox)[:1], provisioning_deadline_seconds=0.6)
    await sandbox.faults({"target": "operator.download_order", "effect": "drop"})
    order = await running.paid()
    await running.stage.events(ProfileFailed)

    async def asked_once() -> bool:
        work = await running.rows("SELECT last_error FROM work WHERE kind = 'withdraw'")
        return bool(work and work[0]["last_error"] and "no call can be under way" in work[0]["last_error"])

    await running.stage.eventually(asked_once)
    await sandbox.clear_faults()
    row = await running.profile(order.order_id)
    late = {"iccid": row["iccid"], "profileType": "TR-STD", "matchingId": row["matching_id"], "releaseFlag": True}
    for function in ("downloadOrder", "confirmOrder"):
        answer = await sandbox.client.post(
            f"{sandbox.operator_url}/gsma/rsp2/es2plus/{function}",
            json={"header": {"functionRequesterIdentifier": "2.999.1", "functionCallIdentifier": "late"}, **late},
            headers={"X-Admin-Protocol": "gsma/rsp/v2.5.0"},
        )
        assert answer.json()["header"]["functionExecutionStatus"]["status"] == "Executed-Success"
    assert len(await _usable(running)) == 1

    async def withdrawn() -> bool:
        return (await running.profile(order.order_id))["withdrawn_at"] is not None

    await running.stage.eventually(withdrawn)
    assert await _usable(running) == []


async def test_work_that_an_older_release_left_is_finished(start: "Start", sandbox: RunningSandbox) -> None:
    """Its rows name no operator and no profile type of an operator: there was one, and plans had one name."""
    running = await start(operators=operators(sandbox), routes=ROUTES)
    order = _order_paid()
    async with running.service.database.transaction() as tx:
        plan = order.plan.model_dump(mode="json")
        deadline = order.paid_at + timedelta(hours=1)
        same = {"order_number": order.order_number, "storefront": order.storefront, "plan": plan}
        own = {"iccid": "8999702000000000018", "matching_id": "OLDRELEASE"}
        row = same | own | {"order_id": order.order_id, "buyer_id": order.buyer_id, "paid_at": order.paid_at}
        row |= {"profile_type": "TR-STD", "operator": "primary", "deadline": deadline, "created_at": tx.now}
        await tx.insert(profiles, [row])
        payload = same | own | {"buyer_id": str(order.buyer_id), "paid_at": order.paid_at.isoformat()}
        tx.schedule("provision", str(order.order_id), payload | {"deadline": deadline.isoformat()})
    [made] = await running.stage.events(ProfileGenerated)
    assert (made.event.order_id, made.event.iccid, made.event.operator) == (order.order_id, own["iccid"], "primary")
    [usable] = await _usable(running)
    assert usable["matchingId"] == "OLDRELEASE"


async def test_orders_of_an_operator_that_is_configured_no_more_go_to_the_next_one(
    start: "Start", sandbox: RunningSandbox
) -> None:
    both, queue = operators(sandbox), "provision:secondary"
    refusing = {"target": "operator.download_order", "effect": "http_error", "status": 429}
    first = await start(operators=both, routes={"*": {"*": [{"operator": "secondary"}]}})
    await sandbox.faults({**refusing, **SECONDARY})
    order = await first.paid()

    async def waiting() -> bool:
        return bool(await first.rows("SELECT 1 FROM work WHERE kind = :queue AND attempts > 0", queue=queue))

    await first.stage.eventually(waiting)
    await first.stage.stop(first.service)  # the last instance that knew it
    second = await start(operators=both[:1], database_url=first.service.settings.database_url)
    [made] = await second.stage.events(ProfileGenerated)
    assert (made.event.order_id, made.event.operator) == (order.order_id, "primary")


async def test_operators_are_shown_to_agents_only(start: "Start", sandbox: RunningSandbox) -> None:
    running = await start(operators=operators(sandbox, rate_per_minute=600), routes=ROUTES)
    assert (await running.get("/operators", key=None)).status_code == 401
    seen = (await running.get("/operators")).json()
    assert [(one["name"], one["adapter"], one["rate_per_minute"]) for one in seen] == [
        ("primary", "es2plus", 600),
        ("secondary", "es2plus", 600),
    ]
    assert seen[0]["orders"]["breaker"] == seen[0]["feed"]["breaker"] == "closed"
    assert (seen[0]["orders"]["last_at"], seen[0]["in_flight"], seen[0]["waiting_orders"]) == (None, 0, 0)


@pytest.mark.parametrize("per_minute", [300])
async def test_the_agreed_rate_is_kept_by_all_instances(
    start: "Start", sandbox: RunningSandbox, per_minute: int
) -> None:
    """Two instances on one database and one topic; the sandbox's own record of calls is the judge."""
    settings = operators(sandbox, rate_per_minute=per_minute, timeout_seconds=10)
    first = await start(operators=settings)
    await start(operators=settings, database_url=first.service.settings.database_url)
    began = time.monotonic()
    await asyncio.gather(*(first.paid() for _ in range(20)))
    await first.stage.events(ProfileGenerated, count=20, timeout=60)
    took = time.monotonic() - began
    downloads = [r for r in await sandbox.requests("/operator/") if r["path"].endswith("downloadOrder")]
    assert len(downloads) >= 20
    # An order is one call of the rate. Two seconds' worth may go ahead, and a share is taken before it is used.
    allowed = per_minute / 60 * (took + 2) + 2
    assert len(downloads) <= allowed
    assert took >= (20 - 2) / (per_minute / 60) - 2.5
