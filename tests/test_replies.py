"""The other side did it, or did half of it, and its answer never came: nothing is done twice."""

import pytest

from product.faults import NO_SUCH_PROFILE
from product.harness import Running
from sandbox.storefront import HELD
from shared.testing.documents import JsonObject

ORDERS = 3
#: `delay`: the answer comes later than we wait for it (payments and provisioning wait 2 s here, notifications 5 s).
LATE = {"effect": "delay", "seconds": 2.5}
LOST: dict[str, JsonObject] = {"lost": {"effect": "lose_reply"}, "half": {"effect": "partial_body"}, "late": LATE}


def lost(*targets: str) -> list[object]:
    return [
        pytest.param({"target": target, "times": ORDERS - 1, **how}, id=f"{target}-{name}")
        for target in targets
        for name, how in LOST.items()
    ]


@pytest.mark.exhaustive
@pytest.mark.parametrize("fault", lost("bank.check_status", "operator.download_order", "operator.confirm_order"))
async def test_delivered_once(running: Running, fault: JsonObject) -> None:
    # given: the answers of bank or operator get lost, all but one
    await running.sandbox.faults(fault)
    # when: buyers order and pay
    orders = await running.shop.buy_many(ORDERS, together=ORDERS)
    # then: each order is delivered once
    await running.judge.delivered(orders)
    assert await struck(running) == ORDERS - 1


@pytest.mark.parametrize("fault", lost("bank.charge"))
async def test_held_money_is_captured_once(running: Running, fault: JsonObject) -> None:
    # given: the bank's answers to captures get lost, all but one
    await running.sandbox.faults(fault)
    # when: buyers pay with cards whose money is only held
    orders = [await running.shop.place() for _ in range(ORDERS)]
    for order in orders:
        await running.shop.pay(order, HELD)
    # then: each payment is captured once, and each order delivered
    await running.judge.delivered(orders)
    assert await struck(running) == ORDERS - 1


@pytest.mark.parametrize("fault", lost("bank.refund"))
async def test_refunded_once(running: Running, fault: JsonObject) -> None:
    """This bank moves money again for a repeated externalID, so a repetition would show."""
    # given: the operator refuses, and the bank's answers to refunds get lost, all but one
    await running.sandbox.faults(NO_SUCH_PROFILE, fault)
    # when: buyers order and pay
    orders = await running.shop.buy_many(ORDERS, together=ORDERS)
    # then: each gets the money back once
    await running.judge.refunded(orders)
    assert await struck(running) == ORDERS - 1


@pytest.mark.parametrize("effect", ["lose_reply", "partial_body"])
async def test_mailed_again_under_the_same_message_id(running: Running, effect: str) -> None:
    """SMTP has no question for it: the mail is sent again, and mail programs know it by its Message-ID."""
    # given: the mail server's answers get lost, all but one
    await running.sandbox.faults({"target": "mail", "effect": effect, "times": ORDERS - 1})
    # when: buyers order and pay
    orders = await running.shop.buy_many(ORDERS, together=ORDERS)
    # then: each order is delivered; a mail whose answer was lost comes again, the same one
    await running.judge.delivered(orders, copies=ORDERS - 1)
    assert await struck(running) == ORDERS - 1


@pytest.mark.parametrize("fault", [{"effect": "refuse", "status": 451}, {"effect": "drop"}], ids=lambda f: f["effect"])
async def test_a_mail_that_was_surely_not_taken_comes_once(running: Running, fault: JsonObject) -> None:
    # given: the mail server takes no mail at first, and says so
    await running.sandbox.faults({"target": "mail", "times": ORDERS - 1, **fault})
    # when: buyers order and pay
    orders = await running.shop.buy_many(ORDERS, together=ORDERS)
    # then: each gets one mail
    await running.judge.delivered(orders)
    assert await struck(running) == ORDERS - 1


async def test_everything_at_once(running: Running) -> None:
    """Each system outside loses about every third answer."""
    # given: lost answers and errors at bank and operator, odd webhooks, a busy mail server
    targets = ("bank.check_status", "operator.download_order", "operator.confirm_order")
    await running.sandbox.faults(
        *({"target": target, "effect": "lose_reply", "times": 3, "after": 1} for target in targets),
        *({"target": target, "effect": "http_error", "times": 3} for target in targets),
        {"target": "bank.webhook", "effect": "duplicate", "times": 4, "count": 3},
        {"target": "bank.webhook", "effect": "drop", "times": 3, "after": 2},
        {"target": "mail", "effect": "refuse", "status": 421, "times": 3},
    )
    # when: buyers order and pay
    orders = await running.shop.buy_many(8, together=4)
    # then: each order is delivered once
    await running.judge.delivered(orders)


async def struck(running: Running) -> int:
    """How often the last fault has applied."""
    rules = await running.sandbox.active_faults()
    return int(rules[-1]["hits"])
