"""`GET /orders/{reference}`: everything that is known of an order, and unknown where nobody reported it."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from services.ordering.tests.orders.conftest import Orders

from ordering.app import build
from ordering.orders.models import Observation
from ordering.orders.refunds_view import refund_cases, refunds
from ordering.orders.store import record_observations
from ordering.settings import Settings
from ordering.timeline.models import Fact, FactDetail, RecordedFact
from shared.contracts import (
    InstallState,
    InstallStatus,
    Money,
    OrderPaid,
    PaymentFailed,
    ProfileGenerated,
    ProfileObserved,
    QrDelivered,
    RefundApproved,
    RefundRequested,
    Usage,
)
from shared.contracts.refunds import Explanation, Ground
from shared.ids import uuid_for
from shared.sealed import Sealed
from shared.testing.documents import Json, JsonObject
from shared.testing.facts import PLAN
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.ordering.tests.conftest import Shop, StartShop

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
ICCID = "8999999999999999999"
CASE, REFUND = uuid_for("case"), uuid_for("refund")


def observed(same: JsonObject, state: InstallStatus, usage: Usage, **moments: datetime) -> ProfileObserved:
    return ProfileObserved(**same, iccid=ICCID, operator="op", install=state, usage=usage, **moments, observed_at=NOON)


def about(order: JsonObject) -> JsonObject:
    return {
        "order_id": UUID(order["order_id"]),
        "order_number": order["order_number"],
        "storefront": "esimka",
        "buyer_id": uuid_for("buyer"),
    }


async def test_what_nobody_reported_is_unknown(shop_of: "StartShop") -> None:
    shop = await shop_of(build, Settings, account_url="https://account.example")
    placed = (await shop.place(key="cart-1")).json()
    assert placed == (await shop.place(key="cart-1")).json()
    order = (await shop.get(f"/orders/{placed['order_id']}")).json()
    assert order["submission_id"] == "cart-1"
    # Nothing secret: it is made of what the shop knows.
    account_url = f"https://account.example/account/orders/esimka/{order['order_id']}"
    assert (placed["account_url"], order["account_url"]) == (account_url, account_url)
    assert order["payment"] == {"state": "unpaid", "paid_at": None, "failures": [], "receipts": [], "surplus": []}
    assert order["delivery"] == {"state": "pending", "delivered_at": None, "channel": None, "failures": []}
    assert (order["esim"], order["refund_cases"], order["refunds"]) == (None, [], [])


async def test_an_order_shows_its_payment_delivery_esim_and_refunds(shop: "Shop", stage: Stage) -> None:
    placed = (await shop.place()).json()
    assert placed["account_url"] is None, "not configured"
    same = about(placed)
    paid: JsonObject = {"plan": PLAN, "paid_at": NOON}
    reasons = {
        "policy": "RF-2026-04-22",
        "grounds": (Ground(document="RF", clause="2.1", text="unused"),),
        "explanation": Explanation(en="x", ru="y"),
    }
    await stage.publish(
        PaymentFailed(**same, invoice_id="1", reason_code=484, reason="x", failed_at=NOON - timedelta(minutes=5)),
        OrderPaid(**same, **paid, kind="esim", paid=Money(amount=990, currency="USD"), invoice_id="2"),
        ProfileGenerated(
            **same,
            **paid,
            iccid=ICCID,
            activation_code=Sealed(recipient="notifications", box="AAAA"),
            operator="op",
            generated_at=NOON,
            valid_until=NOON + timedelta(days=180),
        ),
        QrDelivered(**same, channel="email", paid_at=NOON, delivered_at=NOON + timedelta(seconds=1)),
        RefundRequested(**same, case_id=CASE, reason="changed_mind", origin="buyer", requested_at=NOON),
        RefundApproved(
            **same,
            **reasons,
            case_id=CASE,
            refund_id=REFUND,
            amount=Money(amount=400, currency="USD"),
            approved_at=NOON + timedelta(hours=1),
        ),
    )

    async def complete() -> Json:
        order = (await shop.get(f"/orders/{placed['order_id']}")).json()
        return order if order["esim"] and order["refunds"] and order["delivery"]["channel"] else None

    order = await stage.eventually(complete)
    assert (order["payment"]["state"], order["payment"]["failures"]) == (
        "paid",
        [{"at": "2026-05-01T11:55:00Z", "reason_code": 484}],
    )
    esim = order["esim"]
    assert (esim["iccid"], esim["valid_until"]) == (ICCID, "2026-10-28T12:00:00Z")
    unknown = ("used_bytes", "total_bytes", "usage_observed_at", "usage_age_seconds", "state_observed_at")
    assert esim["state"] == "unknown"
    assert {esim[name] for name in unknown} == {None}
    [case] = order["refund_cases"]
    assert (case["case_id"], case["state"], case["reason"], case["clauses"]) == (
        str(CASE),
        "approved",
        "changed_mind",
        ["RF 2.1"],
    )
    [refund] = order["refunds"]
    assert (refund["refund_id"], refund["case_id"], refund["state"]) == (str(REFUND), str(CASE), "approved")
    assert refund["amount"] == {"amount": 400, "currency": "USD"}

    now = shop.service.clock.now()
    await stage.publish(
        observed(
            same,
            InstallStatus(state="enabled", source="feed", observed_at=now),
            Usage(used_bytes=7, total_bytes=None, source="feed", observed_at=now - timedelta(hours=2)),
            activated_at=now,
        )
    )

    async def used() -> Json:
        esim = (await shop.get(f"/orders/{placed['order_number']}")).json()["esim"]
        return esim if esim["used_bytes"] is not None else None

    esim = await stage.eventually(used)
    assert (esim["state"], esim["used_bytes"], esim["total_bytes"]) == ("enabled", 7, None)
    assert 7200 <= esim["usage_age_seconds"] < 7200 + 120
    [row] = (await shop.get(f"/orders?q={ICCID}")).json()["orders"]
    assert (row["order_id"], row["iccid"]) == (placed["order_id"], ICCID)
    assert (await shop.get(f"/orders?q={ICCID}", "e-sim-onl")).json()["orders"] == []


#: (install state, its time, used bytes, their time); the times are equal on purpose.
REPORTS: list[tuple[InstallState, datetime | None, int | None, datetime | None]] = [
    ("released", NOON, None, None),
    ("installed", NOON + timedelta(hours=1), 5, NOON + timedelta(hours=1)),
    ("unknown", None, 7, NOON + timedelta(hours=2)),
    ("enabled", NOON + timedelta(hours=1), None, NOON + timedelta(hours=2)),
]


@pytest.mark.infra
def test_the_newest_report_stays_in_whatever_sequence_reports_arrive(database_url: str) -> None:
    events = [
        observed(
            {"order_id": uuid_for("o"), "order_number": "10000001", "storefront": "esimka", "buyer_id": uuid_for("b")},
            InstallStatus(state=state, observed_at=at),
            Usage(used_bytes=used, total_bytes=None, observed_at=seen),
        )
        for state, at, used, seen in REPORTS
    ]
    columns = "install_state, install_observed_at, used_bytes, total_bytes, usage_observed_at, plan_ends_at"
    expected = Observation("installed", NOON + timedelta(hours=1), 7, None, NOON + timedelta(hours=2), None)

    async def scene() -> None:
        orders = Orders(database_url)
        for sequence in permutations(events):
            merged = Observation()
            for event in sequence:
                merged = merged.merged(Observation.of(event))
            assert merged == expected
            async with orders.database.transaction() as tx:
                await tx.execute("DELETE FROM esims")
                split = random.Random(1).randrange(4)  # noqa: S311 - test data
                for batch in (sequence[:split], sequence[split:]):
                    await record_observations(tx, batch)
                row = (await tx.execute(f"SELECT {columns} FROM esims")).one()
            assert Observation(*row) == expected
        await orders.database.close()

    asyncio.run(scene())


def test_cases_and_refunds_do_not_depend_on_the_sequence_of_facts() -> None:
    money: FactDetail = {"amount": 100, "currency": "USD"}
    facts = [
        RecordedFact(Fact.REFUND_REQUESTED, NOON, str(CASE), {"reason": "changed_mind"}),
        RecordedFact(Fact.REFUND_DENIED, NOON + timedelta(hours=1), f"{CASE}/1", {"clauses": ["RC 1"]}),
        RecordedFact(Fact.APPEAL_RECEIVED, NOON + timedelta(hours=2), f"{CASE}/2"),
        RecordedFact(Fact.REFUND_APPROVED, NOON + timedelta(hours=3), str(REFUND), money),
        RecordedFact(Fact.REFUND_FAILED, NOON + timedelta(hours=4), str(REFUND)),
        RecordedFact(Fact.REFUND_RETRIED, NOON + timedelta(hours=5), f"{REFUND}/2"),
    ]
    views = {(str(refund_cases(mixed)), str(refunds(mixed))) for mixed in permutations(facts)}
    assert len(views) == 1
    [case], [refund] = refund_cases(facts), refunds(facts)
    assert (case.state, case.reason) == ("appealed", "changed_mind"), "the approval of an earlier release names no case"
    assert (refund.case_id, refund.state, refund.amount) == (None, "approved", Money(amount=100, currency="USD"))
