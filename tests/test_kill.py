"""kill -9 of each service at each of its points, while orders flow: every order ends exactly once all the same."""

import asyncio
import signal

import pytest

from local_stack.errors import ComponentFailedError
from product.harness import Running
from product.judge import until
from product.shop import Order

ORDERS = 8
DEATH_SECONDS = 60.0
RETRY_LATER = {
    "payments": {"target": "bank.check_status", "effect": "http_error", "times": 6},
    "provisioning": {"target": "operator.download_order", "effect": "http_error", "times": 6},
    "notifications": {"target": "mail", "effect": "refuse", "status": 451, "times": 3},
}
REFUSED = {"target": "operator.download_order", "effect": "refuse", "subjectCode": "8.2.5", "reasonCode": "3.9"}
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
    process = running.product.services[service]
    assert await process.wait_exit(DEATH_SECONDS), f"{service} never came to {point} for the {visit}. time"
    assert process.exit_code == -signal.SIGKILL
    process.kill()
    unrecorded = await running.product.query(service, UNRECORDED) if service == "notifications" else []
    running.product.arm(service, then)
    process.start()
    # Read now: what the dead had handed over is taken in by the mail server before its successor can send anything.
    ledger = await running.sandbox.ledger_mail()
    arrived = {mail["message_id"].strip("<>").partition("@")[0] for mail in ledger["messages"]}
    return sum(beginning in arrived for (beginning,) in unrecorded)


async def armed(running: Running, service: str, point: str, visit: int) -> None:
    """Restart a service in good order, so that it dies at its next visits there."""
    process = running.product.services[service]
    await process.stop()
    running.product.arm(service, f"{point}={visit}")
    process.start()
    try:
        await running.product.ready(service)
    except ComponentFailedError:
        # Work that was due may bring it to the point before it says that it is ready.
        if process.exit_code != -signal.SIGKILL:
            raise


@pytest.mark.exhaustive
@pytest.mark.parametrize(("service", "point", "visit"), cases(DELIVERY))
async def test_every_order_is_delivered_once(running: Running, service: str, point: str, visit: int) -> None:
    if point in CLAIM:
        await running.sandbox.faults(RETRY_LATER[service])
    await armed(running, service, point, visit)
    copies, orders = await asyncio.gather(dies_at(running, service, point, visit), buy(running, service))
    await running.judge.delivered(orders, copies=copies)


@pytest.mark.parametrize("point", LEFTOVERS)
async def test_leftovers_of_a_crash_are_published_though_the_relay_dies_too(running: Running, point: str) -> None:
    async def deaths() -> None:
        await dies_at(running, "payments", "outbox.before_send", 4, then=f"{point}=1")
        await dies_at(running, "payments", point, 1)

    await armed(running, "payments", "outbox.before_send", 4)
    _, orders = await asyncio.gather(deaths(), buy(running, "payments"))
    await running.judge.delivered(orders)


@pytest.mark.exhaustive
@pytest.mark.parametrize(("service", "point", "visit"), cases(RETURN))
async def test_every_refund_is_made_once(running: Running, service: str, point: str, visit: int) -> None:
    """Orders are paid while the operator is away; then it refuses them all, and the money has to go back."""
    await running.sandbox.faults(AWAY)
    orders = await running.shop.buy_many(ORDERS, "qazaq-esim", together=4)
    await running.judge.statuses(orders, "paid")
    await armed(running, service, point, visit)
    await running.sandbox.replace_faults(REFUSED)
    copies = await dies_at(running, service, point, visit)
    await running.judge.refunded(orders, copies=copies)


@pytest.mark.parametrize("target", ["operator.download_order", "operator.confirm_order"])
async def test_killed_while_the_operator_works(running: Running, target: str) -> None:
    """Between two calls as well: what was reserved before the death is what is confirmed after it."""
    await running.sandbox.faults({"target": target, "effect": "delay", "seconds": 1.5, "times": ORDERS})
    orders = await running.shop.buy_many(ORDERS, together=4)

    async def untouched() -> str:
        return "" if await running.judge.new_profiles() else "the operator was not called"

    await until(untouched)
    killed(running, "provisioning")
    await running.judge.delivered(orders)


async def test_killed_while_the_bank_returns_money(running: Running) -> None:
    await running.sandbox.faults(REFUSED, {"target": "bank.refund", "effect": "delay", "seconds": 1.5, "times": ORDERS})
    orders = await running.shop.buy_many(ORDERS, together=4)
    buyers = {order.buyer.email for order in orders}

    async def nothing_returned() -> str:
        ledger = await running.sandbox.ledger_bank()
        return "" if any(one["email"] in buyers and one["refunded"] for one in ledger) else "no money was returned"

    await until(nothing_returned)
    killed(running, "payments")
    await running.judge.refunded(orders)


async def test_killed_all_together(running: Running) -> None:
    """A machine that loses its power: every service at once, in the middle of everything."""
    buying = asyncio.create_task(running.shop.buy_many(2 * ORDERS, together=4))

    async def nothing_made() -> str:
        return "" if len(await running.judge.new_profiles()) >= ORDERS // 2 else "too few profiles"

    await until(nothing_made)
    for name in running.product.services:
        running.product.services[name].kill()
    for name in running.product.services:
        running.product.services[name].start()
    orders = await buying
    await running.judge.delivered(orders, copies=len(orders))


def killed(running: Running, service: str) -> None:
    running.product.services[service].kill()
    running.product.services[service].start()


async def buy(running: Running, service: str) -> list[Order]:
    """Orders that overlap; where mails are at stake, one after another, so that at most one code is under way."""
    if service != "notifications":
        return await running.shop.buy_many(ORDERS, "qazaq-esim")
    orders = []
    for _ in range(ORDERS):
        orders.append(await running.shop.buy("qazaq-esim"))
        await running.judge.statuses(orders[-1:], "delivered")
    return orders
