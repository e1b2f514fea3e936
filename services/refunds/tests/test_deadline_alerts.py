"""Agents are alerted before a deadline passes, once for each deadline, and only of what they can still do."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from refunds.deadline_alerts.scheduled_jobs import DeadlineAlerts
from shared.contracts import DeadlineNear
from shared.shops.files import ShopFiles
from shared.testing.shops import change, copied

if TYPE_CHECKING:
    from pathlib import Path

    from services.refunds.tests.conftest import Refunds, Start

CLAIM = {"reference": "2026/17"}
#: RF 5.1 gives ten business days, PO 7.3 thirty days: both are within this.
LONG = 24 * 60.0


def alerts(running: "Refunds", hours: float, shops: ShopFiles | None = None) -> DeadlineAlerts:
    """The job of another instance."""
    shops = shops or running.service.app.state.shops
    pages = "https://agents.example/"
    return DeadlineAlerts(running.service.database, shops, CollectorRegistry(), hours=hours, pages=pages)


async def test_each_deadline_is_announced_once_by_whichever_instance_is_first(start: "Start", tmp_path: "Path") -> None:
    running = await start()
    order = await running.delivered("esimka", timedelta(days=20))
    claim = (await running.post("/claims", {"order": order.order_number, **CLAIM})).json()
    body = {"reason": "technical_failure", "full_name": "Ann", "email": "ann@example.org", "payment_date": "2026-11-01"}
    asked = await running.post(f"/orders/{order.order_id}/refund-requests", body | {"circumstances": "no network"})
    case = asked.json()
    assert case["state"] == "information_needed", "it waits for its buyer: no deadline of ours runs"
    await alerts(running, 0.001).announce()
    assert await running.stage.all_events(DeadlineNear) == []

    await asyncio.gather(*(alerts(running, LONG).announce() for _ in range(3)))
    [near] = await running.stage.events(DeadlineNear)
    assert (near.event.kind, str(near.event.claim_id), near.event.case_id) == ("claim", claim["claim_id"], None)
    assert near.event.page == f"https://agents.example/agents/claims/{claim['claim_id']}"
    assert near.event.order_number == order.order_number

    more = await running.post(f"/orders/{order.order_id}/refund-requests", body | {"evidence": ["error 7"]})
    assert more.json()["due_kind"] in {"decide_by", "restore_by"}, more.text
    await asyncio.gather(*(alerts(running, LONG).announce() for _ in range(3)))
    _, near = await running.stage.events(DeadlineNear, count=2)
    assert (near.event.kind, str(near.event.case_id)) == (more.json()["due_kind"], case["case_id"])
    assert near.event.page == f"https://agents.example/agents/cases/{case['case_id']}"

    # What is over is reported as missed, and a shop that names nobody is not alerted.
    await running.post(f"/claims/{claim['claim_id']}/answer")
    other = (await running.post("/claims", {"order": order.order_number, "reference": "2"})).json()
    change(copied(tmp_path / "shops") / "esimka" / "shop.toml", '[alerts]\nemail = "agents@esimka.example"\n', "")
    await alerts(running, LONG, ShopFiles(tmp_path / "shops")).announce()
    assert len(await running.stage.all_events(DeadlineNear)) == 2
    async with running.service.database.transaction("maintain") as tx:
        await tx.execute(
            "UPDATE claims SET answer_by = :now WHERE claim_id = :claim", now=tx.now, claim=other["claim_id"]
        )
    await alerts(running, LONG).announce()
    assert len(await running.stage.all_events(DeadlineNear)) == 2
