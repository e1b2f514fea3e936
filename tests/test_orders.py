"""An order, all the way, at every shop and by both ways in; and the way back of the money."""

import re

import pytest

from local_stack.product import STOREFRONTS
from product.faults import NO_SUCH_PROFILE
from product.harness import Running
from product.judge import Mail
from product.shop import Buyer
from sandbox.storefront import INSUFFICIENT_FUNDS

#: docs/policies.md: what each shop's policy says when no profile could be made.
CLAUSES = {
    "qazaq-esim": ["RP 2.1", "RP 2.2", "RP 2.3", "PO 5.4"],
    "e-sim-onl": ["RC 1"],
    "esimka": ["RF 2.3"],
}


@pytest.mark.parametrize("way", ["place", "submit"])
async def test_every_shop_delivers(running: Running, way: str) -> None:
    # given: an order at every shop, over HTTP or on the shop's topic
    orders = [await getattr(running.shop, way)(storefront) for storefront in STOREFRONTS]
    # when: every buyer pays
    for order in orders:
        await running.shop.pay(order)
    # then: every buyer has a code
    await running.judge.delivered(orders)


async def test_a_declined_card_costs_nothing_and_another_one_pays(running: Running) -> None:
    # given: an order
    order = await running.shop.place()
    # when: the bank declines the card
    await running.shop.pay(order, INSUFFICIENT_FUNDS)
    # then: the attempt has failed, and nothing is charged
    await running.judge.statuses([order], "payment_failed")
    assert await running.judge.charges(order) == []
    # when: the buyer pays with another card
    await running.shop.pay(order)
    # then: the code is delivered, by a second attempt
    await running.judge.delivered([order])
    assert len(order.invoices) == 2


async def test_the_same_submission_by_both_ways_is_one_order(running: Running) -> None:
    # given: one submission
    buyer = Buyer()
    # when: it arrives over HTTP and on the topic
    first = await running.shop.place(buyer=buyer)
    again = await running.shop.submit(buyer=buyer)
    # then: it is one order, which is paid and delivered once
    assert (first.id, first.number) == (again.id, again.number)
    await running.shop.pay(first)
    await running.judge.delivered([first])


@pytest.mark.parametrize("storefront", STOREFRONTS)
async def test_refused_by_the_operator_the_money_goes_back(running: Running, storefront: str) -> None:
    # given: the operator refuses the profile
    await running.sandbox.faults(NO_SUCH_PROFILE)
    # when: a buyer orders and pays
    order = await running.shop.buy(storefront)
    # then: the money is refunded, and the e-mail names the clauses
    [mail] = await running.judge.refunded([order])
    says_why(mail, order.price, CLAUSES[storefront])


async def test_sold_out_the_money_goes_back(running: Running) -> None:
    # given: the operator is out of stock
    await running.sandbox.faults({"target": "operator.download_order", "effect": "out_of_stock"})
    # when: a Russian-speaking buyer orders and pays
    order = await running.shop.buy(buyer=Buyer(language="ru"))
    # then: the money is refunded, and the e-mail says why in Russian
    [mail] = await running.judge.refunded([order])
    says_why(mail, order.price, CLAUSES["esimka"])
    assert re.search("[а-я]{5}", mail["text"])


@pytest.mark.parametrize("effect", ["http_error", "drop", "lose_reply"])
async def test_unreachable_until_the_deadline_the_money_goes_back(running: Running, effect: str) -> None:
    """e-sim-onl's deadline is short here. Profiles that the operator made meanwhile are withdrawn."""
    # given: the operator is unreachable
    await running.sandbox.faults({"target": "operator.download_order", "effect": effect})
    # when: a buyer orders and pays, and the deadline passes
    order = await running.shop.buy("e-sim-onl")
    await running.judge.statuses([order], "refunded")
    # then: the money is refunded once, also when the operator is reachable again
    await running.sandbox.clear_faults()
    [mail] = await running.judge.refunded([order])
    says_why(mail, order.price, CLAUSES["e-sim-onl"])


def says_why(mail: Mail, price: int, clauses: list[str]) -> None:
    for form in ("text", "html"):
        for clause in clauses:
            assert clause in mail[form], (clause, mail[form])
    digits = re.sub(r"[^0-9]", "", mail["text"])
    assert str(price // 100) in digits
