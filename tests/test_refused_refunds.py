"""The bank refuses a refund: agents retry it or pay it by hand, and it goes out once, also when services are killed."""

import asyncio
import json
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from product.faults import NO_SUCH_PROFILE, died, restart, start_again
from product.harness import Running
from product.judge import until
from product.shop import Order, stubborn
from shared.testing.documents import Json

BANK_REFUSES = {"target": "bank.refund", "effect": "refuse", "code": 123}
AGENTS = {"anna": "anna-key", "boris": "boris-key"}


class Agents:
    """Two people at refunds' HTTP; they ask again where a service is down."""

    def __init__(self, running: Running, http: httpx.AsyncClient) -> None:
        self.running = running
        self.http = http

    async def case(self, order: Order) -> str:
        answer = await self._call("GET", f"/cases/{order.id}", "anna")
        return str(answer.json()["cases"][0]["case_id"])

    async def shown(self, case_id: str) -> Json:
        return (await self._call("GET", f"/cases/{case_id}/refund", "anna")).json()

    async def act(self, case_id: str, path: str, who: str, **body: object) -> httpx.Response:
        return await self._call("POST", f"/cases/{case_id}/refund/{path}", who, body)

    async def waits(self, case_id: str, attempts: int) -> None:
        """Until the bank's refusal of this attempt is known to refunds."""

        async def missing() -> str:
            shown = await self.shown(case_id)
            return "" if shown and shown["attempts"] == attempts and not shown["under_way"] else str(shown)

        await until(missing)

    async def accepted(self, case_id: str) -> str:
        """The payment that payments has taken and that waits for a second person."""

        async def missing() -> str:
            actions = (await self.shown(case_id))["actions"]
            return "" if actions and actions[-1]["accepted"] else str(actions)

        await until(missing)
        return str((await self.shown(case_id))["actions"][-1]["action_id"])

    async def _call(self, method: str, path: str, who: str, body: object = None) -> httpx.Response:
        url = f"{self.running.product.url('refunds')}{path}"
        headers = {"Authorization": f"Bearer {AGENTS[who]}"}
        return await stubborn(lambda: self.http.request(method, url, headers=headers, json=body))


@pytest.fixture
async def agents(running: Running) -> AsyncIterator[Agents]:
    before = running.product.services["refunds"].environment["AGENT_KEYS"]
    await restart(running.product, "refunds", AGENT_KEYS=json.dumps(AGENTS))
    async with httpx.AsyncClient(timeout=10, trust_env=False) as http:
        yield Agents(running, http)
    await restart(running.product, "refunds", AGENT_KEYS=before)


async def refused(running: Running, agents: Agents) -> tuple[Order, str]:
    """An order that nobody can deliver, whose money the bank will not return; and its case."""
    await running.sandbox.faults(NO_SUCH_PROFILE, BANK_REFUSES)
    order = await running.shop.buy("qazaq-esim")
    await running.judge.statuses([order], "refund_failed")
    case_id = await agents.case(order)
    await agents.waits(case_id, 1)
    await mailed(running, order, ".refused")
    return order, case_id


async def mailed(running: Running, order: Order, kind: str) -> None:
    """The buyer has this kind of mail, once."""

    async def missing() -> str:
        mails = await running.sandbox.mails(to=order.buyer.email)
        ids = {mail["message_id"].strip("<>").partition("@")[0] for mail in mails}
        return "" if sum(one.endswith(kind) for one in ids) == 1 else f"{kind} is not once in {sorted(ids)}"

    await until(missing)


async def at_the_bank(running: Running, order: Order) -> list[int]:
    [charge] = await running.judge.charges(order)
    return [refund["amount"] for refund in charge["refunds"]]


async def books(running: Running, order: Order) -> Json:
    """Payments' ledger of the order, after its own check against the bank and the orders."""
    keys = json.loads(running.product.services["payments"].environment["AGENT_KEYS"])
    url = f"{running.product.url('payments')}/orders/{order.id}/ledger"
    headers = {"Authorization": f"Bearer {next(iter(keys.values()))}"}
    answer = await stubborn(lambda: running.shop.http.get(url, headers=headers))
    assert await running.product.query("payments", "SELECT * FROM ledger_imbalances") == []
    return answer.json()


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "point", ["consumer.after_commit", "work.before_call", "work.after_call", "work.before_commit"]
)
async def test_a_retry_returns_the_money_once_though_payments_dies(
    running: Running, agents: Agents, point: str
) -> None:
    # given: a refund that the bank has refused twice, and does not refuse any more
    order, case_id = await refused(running, agents)
    assert (await agents.act(case_id, "retry", "anna", action_id=str(uuid4()))).status_code == 202
    await agents.waits(case_id, 2)
    await running.judge.statuses([order], "refund_failed")
    await restart(running.product, "payments", point)
    await running.sandbox.replace_faults(NO_SUCH_PROFILE)
    # when: an agent sends one retry twice, and payments dies while it carries it out
    action_id = str(uuid4())
    for _ in range(2):
        assert (await agents.act(case_id, "retry", "anna", action_id=action_id)).status_code == 202
    await died(running.product, "payments", point)
    start_again(running.product, "payments")
    # then: the money is returned once, in the bank's books and in ours, and the buyer reads it once
    await running.judge.statuses([order], "refunded")
    await running.judge.quiet()
    assert await at_the_bank(running, order) == [order.price]
    ledger = await books(running, order)
    assert (ledger["paid_out"], ledger["paid_by_hand"]) == (order.price, 0)
    await mailed(running, order, ".settled")
    await mailed(running, order, ".refused")


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("service", "point"),
    [
        ("payments", "consumer.before_commit"),
        ("payments", "consumer.after_commit"),
        ("payments", "work.after_call"),
        ("payments", "work.after_commit"),
        ("refunds", "http.after_commit"),
    ],
)
async def test_what_two_people_paid_by_hand_is_booked_once_though_a_service_dies(
    running: Running, agents: Agents, service: str, point: str
) -> None:
    # given: a refused refund that one agent has recorded as paid by hand, and cannot confirm alone
    order, case_id = await refused(running, agents)
    body = {"payment_id": str(uuid4()), "amount_minor": order.price, "way": "bank_transfer", "reference": "PO 114"}
    assert (await agents.act(case_id, "hand-payments", "anna", **body)).status_code == 202
    payment_id = await agents.accepted(case_id)
    path = f"hand-payments/{payment_id}/decision"
    assert (await agents.act(case_id, path, "anna", confirmed=True)).status_code == 409
    # when: a second agent confirms it, and a service dies meanwhile
    await restart(running.product, service, point)
    confirming = asyncio.create_task(agents.act(case_id, path, "boris", confirmed=True))
    await died(running.product, service, point)
    start_again(running.product, service)
    assert (await confirming).status_code == 202
    # then: it is booked once, the bank is not asked again, and there is a receipt of each direction
    await running.judge.statuses([order], "refunded")
    await running.judge.quiet()
    assert await at_the_bank(running, order) == []
    ledger = await books(running, order)
    assert (ledger["paid_out"], ledger["paid_by_hand"]) == (order.price, order.price)
    assert (await agents.act(case_id, "retry", "boris", action_id=str(uuid4()))).status_code == 409
    for kind in (".refused", ".settled"):
        await mailed(running, order, kind)
    receipts = await running.product.query(
        "payments", "SELECT kind FROM receipts WHERE order_id = %s::uuid AND issued_at IS NOT NULL", order.id
    )
    assert sorted(row[0] for row in receipts) == ["sale", "sale_return"]
