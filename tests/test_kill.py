"""kill -9 of each service at each of its points, while orders flow: every order ends exactly once all the same."""

import asyncio

import pytest

from product.faults import NO_SUCH_PROFILE, died, kill, restart, start_again
from product.harness import Running
from product.judge import until
from product.shop import Order

ORDERS = 8
RETRY_LATER = {
    "payments": {"target": "bank.check_status", "effect": "http_error", "times": 6},
    "provisioning": {"target": "operator.download_order", "effect": "http_error", "times": 6},
    "notifications": {"target": "mail", "effect": "refuse", "status": 451, "times": 3},
}
AWAY = {"target": "operator.download_order", "effect": "http_error"}
LEFTOVERS = ("relay.before_send", "relay.after_send")

CORE = {"consumer.before_commit": 3, "consumer.after_commit": 3, "outbox.before_send": 4, "outbox.after_send": 4}
HTTP = {"http.before_commit": 4, "http.after_commit": 4}
WORK = {"work.before_call": 4, "work.after_call": 4, "work.before_commit": 3, "work.after_commit": 3}
CLAIM = {"claim.before_commit": 2, "claim.after_commit": 2}
#: Points that the way of a delivered order visits, and at which visit the service dies.
DELIVERY = {
    "ordering": CORE | HTTP,
    "payments": CORE | HTTP | WORK | CLAIM,
    "provisioning": CORE | WORK | CLAIM,
    "notifications": CORE | WORK | CLAIM,
}
#: Points that only the way of the money back visits.
RETURN = {
    "payments": {"refund_intent.before_commit": 3, "refund_intent.after_commit": 3} | WORK,
    "notifications": {"work.after_call": 3, "work.before_commit": 2},
    "refunds": {"consumer.before_commit": 3, "consumer.after_commit": 3}
    | {"outbox.before_send": 1, "outbox.after_send": 1},
}
#: Mails with a code or a refund that notifications has not recorded as sent, by what their Message-ID begins with.
UNRECORDED = "SELECT subject_id || '.' || kind FROM mails WHERE state = 'due' AND kind IN ('qr', 'refund')"


def cases(points: dict[str, dict[str, int]]) -> list[object]:
    return [
        pytest.param(service, point, visit, id=f"{service}-{point}")
        for service, chosen in points.items()
        for point, visit in chosen.items()
    ]


async def dies_at(running: Running, service: str, point: str, visit: int, *, then: str = "") -> int:
    """Wait for the death at the point, and start the service again as if nothing had happened (or armed anew).

    Returns how many mails may come twice: the mail server has them, and who died had not recorded it. They need not
    be of the work that died: a receipt's mail may be at the point while a code's mail is under way.
    """
    await died(running.product, service, f"{point}={visit}")
    unrecorded = await running.product.query(service, UNRECORDED) if service == "notifications" else []
    start_again(running.product, service, then)
    # Read now: what the dead had handed over is taken in by the mail server before its successor can send anything.
    ledger = await running.sandbox.ledger_mail()
    arrived = {mail["message_id"].strip("<>").partition("@")[0] for mail in ledger["messages"]}
    return sum(beginning in arrived for (beginning,) in unrecorded)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("service", "point", "visit"), cases(DELIVERY))
async def test_every_order_is_delivered_once(running: Running, service: str, point: str, visit: int) -> None:
    # given: a service that will die at this point
    if point in CLAIM:
        await running.sandbox.faults(RETRY_LATER[service])
    await restart(running.product, service, f"{point}={visit}")
    # when: orders flow
    copies, orders = await asyncio.gather(dies_at(running, service, point, visit), buy(running, service))
    # then: each is delivered once; a mail that was not recorded may have come twice
    await running.judge.delivered(orders, copies=copies)


@pytest.mark.parametrize("point", LEFTOVERS)
async def test_leftovers_of_a_crash_are_published_though_the_relay_dies_too(running: Running, point: str) -> None:
    # given: payments that will die before it publishes, and once more when it publishes what is left
    async def deaths() -> None:
        await dies_at(running, "payments", "outbox.before_send", 4, then=f"{point}=1")
        await dies_at(running, "payments", point, 1)

    await restart(running.product, "payments", "outbox.before_send=4")
    # when: orders flow
    _, orders = await asyncio.gather(deaths(), buy(running, "payments"))
    # then: each is delivered once
    await running.judge.delivered(orders)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("service", "point", "visit"), cases(RETURN))
async def test_every_refund_is_made_once(running: Running, service: str, point: str, visit: int) -> None:
    """Orders are paid while the operator is away; then it refuses them all, and the money has to go back."""
    # given: paid orders, an operator that is away, and a service that will die at this point
    await running.sandbox.faults(AWAY)
    orders = await running.shop.buy_many(ORDERS, "qazaq-esim", together=4)
    await running.judge.statuses(orders, "paid")
    await restart(running.product, service, f"{point}={visit}")
    # when: the operator refuses them all
    await running.sandbox.replace_faults(NO_SUCH_PROFILE)
    copies = await dies_at(running, service, point, visit)
    # then: each is refunded once
    await running.judge.refunded(orders, copies=copies)


@pytest.mark.parametrize("target", ["operator.download_order", "operator.confirm_order"])
async def test_killed_while_the_operator_works(running: Running, target: str) -> None:
    """Between two calls as well: what was reserved before the death is what is confirmed after it."""
    # given: orders at an operator that takes its time
    await running.sandbox.faults({"target": target, "effect": "delay", "seconds": 1.5, "times": ORDERS})
    orders = await running.shop.buy_many(ORDERS, together=4)

    async def untouched() -> str:
        return "" if await running.judge.new_profiles() else "the operator was not called"

    # when: provisioning is killed after the operator has begun
    await until(untouched)
    kill(running.product, "provisioning")
    # then: each order is delivered once
    await running.judge.delivered(orders)


async def test_killed_while_the_bank_returns_money(running: Running) -> None:
    # given: orders whose money goes back, and a bank that takes its time
    await running.sandbox.faults(
        NO_SUCH_PROFILE, {"target": "bank.refund", "effect": "delay", "seconds": 1.5, "times": ORDERS}
    )
    orders = await running.shop.buy_many(ORDERS, together=4)
    buyers = {order.buyer.email for order in orders}

    async def nothing_returned() -> str:
        ledger = await running.sandbox.ledger_bank()
        return "" if any(one["email"] in buyers and one["refunded"] for one in ledger) else "no money was returned"

    # when: payments is killed after the bank has begun
    await until(nothing_returned)
    kill(running.product, "payments")
    # then: each order is refunded once
    await running.judge.refunded(orders)


async def test_killed_all_together(running: Running) -> None:
    """A machine that loses its power: every service at once, in the middle of everything."""
    # given: orders on their way
    buying = asyncio.create_task(running.shop.buy_many(2 * ORDERS, together=4))

    async def nothing_made() -> str:
        return "" if len(await running.judge.new_profiles()) >= ORDERS // 2 else "too few profiles"

    # when: all services are killed
    await until(nothing_made)
    for name in running.product.services:
        running.product.services[name].kill()
    for name in running.product.services:
        running.product.services[name].start()
    # then: each order is delivered once; each mail may have come twice
    orders = await buying
    await running.judge.delivered(orders, copies=len(orders))


async def buy(running: Running, service: str) -> list[Order]:
    """Orders that overlap; where mails are at stake, one after another, so that at most one code is under way."""
    if service != "notifications":
        return await running.shop.buy_many(ORDERS, "qazaq-esim")
    orders = []
    for _ in range(ORDERS):
        orders.append(await running.shop.buy("qazaq-esim"))
        await running.judge.statuses(orders[-1:], "delivered")
    return orders
