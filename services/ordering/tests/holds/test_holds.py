"""Fraud control (PP 4.5): what counts as unusual, and that a held order cannot be paid before an agent releases it."""

from typing import TYPE_CHECKING

import pytest

from ordering.app import build
from ordering.holds.models import Candidate, Counts, Limits
from ordering.holds.rules import broken_rules, explain
from ordering.holds.store import count
from ordering.settings import Settings
from shared.contracts import OrderHeld, OrderPlaced, OrderRefused, OrderReleased
from shared.ids import uuid7
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.ordering.tests.conftest import Shop, StartShop

AGENT = {"Authorization": "Bearer agents-key"}
LIMITS = {"orders_by_email": 1}


@pytest.mark.parametrize("rule", Counts.__slots__)
def test_a_rule_is_broken_above_its_limit_and_not_at_it(rule: str) -> None:
    limits = Limits()
    limit = getattr(limits, rule)

    assert broken_rules(Counts(**{rule: limit}), limits) == ()
    assert broken_rules(Counts(**{rule: limit + 1}), limits) == (rule,)
    assert str(limit) in explain((rule,), limits)[0]


async def test_the_count_for_one_order_is_planned_once(shop: "Shop") -> None:
    candidate = Candidate(uuid7(), 1, "esimka", uuid7(), "anna@example.org", "+77011234567", None, None)
    async with shop.service.database.reading() as tx:
        for _ in range(20):  # psycopg prepares it after 5, and Postgres compares plans after 5 more
            await count(tx, [candidate], Limits())
        plans = await tx.execute(
            "SELECT generic_plans AS kept, custom_plans AS made_anew FROM pg_prepared_statements "
            "WHERE statement LIKE '%orders_by_email%'"
        )
    assert plans.one().kept > 5, plans.all()


@pytest.fixture
async def suspicious(stage: Stage, shop_of: "StartShop") -> "Shop":
    """A shop at which the second order from one address is unusual."""
    return await shop_of(build, Settings, agent_keys={"support": "agents-key"}, fraud_limits=LIMITS)


async def test_a_held_order_is_placed_when_an_agent_releases_it(stage: Stage, suspicious: "Shop") -> None:
    first, second = await suspicious.place(), await suspicious.place(key="second")
    assert (first.json()["status"], second.json()["status"]) == ("placed", "held")
    order_id = second.json()["order_id"]
    [held] = await stage.events(OrderHeld)
    assert (str(held.event.order_id), held.event.rules) == (order_id, ("orders_by_email",))

    [waiting] = (await suspicious.http.get("/holds", headers=AGENT)).json()
    assert (waiting["order_id"], waiting["reasons"]) == (
        order_id,
        ["more than 1 orders from one e-mail address within 24 hours"],
    )
    [unheld] = await stage.events(OrderPlaced)
    assert unheld.event.released_at is None
    assert str(unheld.event.order_id) == first.json()["order_id"]

    hold = (await suspicious.http.get(f"/orders/{order_id}/hold", headers=AGENT)).json()
    assert (hold["reasons"], hold["decision"]) == (waiting["reasons"], None)
    anna = {**AGENT, "X-On-Behalf-Of": "anna"}
    assert (await suspicious.http.post(f"/orders/{order_id}/release", headers=anna)).status_code == 200
    both = await stage.events(OrderPlaced, count=2)
    [placed] = [one.event for one in both if str(one.event.order_id) == order_id]
    assert placed.submission_id == "second"
    [released] = await stage.events(OrderReleased)
    assert str(released.event.order_id) == order_id
    assert placed.released_at == released.event.released_at > placed.placed_at, "its time to pay begins now"
    assert (await suspicious.get(f"/orders/{order_id}")).json()["status"] == "placed"
    again = await suspicious.http.post(f"/orders/{order_id}/refusal", headers=AGENT)
    assert (again.status_code, again.json()["type"]) == (409, "urn:problem:not-held")
    assert again.json()["detail"].startswith("support (anna) has released this order on 20"), "who did what"
    hold = (await suspicious.http.get(f"/orders/{order_id}/hold", headers=AGENT)).json()
    assert (hold["decision"], hold["decided_by"]) == ("released", "support (anna)")
    never = await suspicious.http.get(f"/orders/{first.json()['order_id']}/hold", headers=AGENT)
    assert (never.status_code, never.json()["type"]) == (404, "urn:problem:not-held")


async def test_a_refused_order_is_never_placed(stage: Stage, suspicious: "Shop") -> None:
    await suspicious.place()
    held = (await suspicious.place()).json()

    await suspicious.http.post(f"/orders/{held['order_number']}/refusal", headers=AGENT)

    [refused] = await stage.events(OrderRefused)
    assert str(refused.event.order_id) == held["order_id"]
    assert (await suspicious.get(f"/orders/{held['order_id']}")).json()["status"] == "refused"
    assert len(await stage.events(OrderPlaced)) == 1


async def test_a_repeated_order_is_answered_as_held(suspicious: "Shop") -> None:
    await suspicious.place()
    first, again = await suspicious.place(key="k"), await suspicious.place(key="k")

    assert (first.json(), again.headers["Idempotent-Replay"]) == (again.json(), "true")
    assert again.json()["status"] == "held"


async def test_only_agents_decide(suspicious: "Shop") -> None:
    for method, path in (("GET", "/holds"), ("POST", "/orders/10000001/release"), ("POST", "/orders/10000001/refusal")):
        assert (await suspicious.http.request(method, path, headers=suspicious.auth())).status_code == 401
