"""Buyers ask for their money: what the policy says happens, once, also when refunds is killed amid it."""

import asyncio

import pytest

from product.faults import died, restart, start_again
from product.harness import Running
from product.judge import Profile, until
from product.shop import Order, stubborn
from shared.testing.documents import JsonObject


async def asks(running: Running, order: Order, **body: object) -> JsonObject:
    """Ask for money back through the shop, until there is an answer."""
    url = f"{running.product.url('refunds')}/orders/{order.id}/refund-requests"
    complete = {
        "reason": "changed_mind",
        "channel": "account",
        "full_name": order.buyer.name,
        "email": order.buyer.email,
        "payment_date": "2026-11-20",
        **body,
    }
    auth = running.shop.auth(order.storefront)
    answer = await stubborn(lambda: running.shop.http.post(url, json=complete, headers=auth), again={404})
    assert answer.status_code in (200, 201), answer.text
    view: JsonObject = answer.json()
    return view


async def mails(running: Running, order: Order, part: str) -> list[JsonObject]:
    """The buyer's mails in whose text this stands."""
    return [mail for mail in await running.sandbox.mails(to=order.buyer.email) if part in mail["text"]]


async def mail_cites(running: Running, order: Order, clause: str) -> None:
    async def missing() -> str:
        return "" if await mails(running, order, clause) else f"no mail with {clause}"

    await until(missing)


async def refunds_at_the_bank(running: Running, order: Order) -> list[int]:
    """The amounts, in minor units, that the bank has returned of the order's one charge."""
    [charge] = await running.judge.charges(order)
    return [refund["amount"] for refund in charge["refunds"]]


async def being_revoked(running: Running) -> tuple[Order, Profile]:
    """An order to be refunded by RC 1, and its profile, which the operator fails to revoke until faults are cleared."""
    order = await running.shop.buy("e-sim-onl")
    [profile] = await running.judge.delivered([order])
    await running.sandbox.faults({"target": "operator.cancel_order", "effect": "http_error", "status": 503})
    await asks(running, order)

    async def tried() -> str:
        return "" if any(rule["hits"] for rule in await running.sandbox.active_faults()) else "no revocation yet"

    await until(tried)
    return order, profile


@pytest.mark.parametrize("point", ["http.after_commit", "consumer.before_commit", "consumer.after_commit"])
async def test_unused_and_in_time_the_money_comes_back_once(running: Running, point: str) -> None:
    """RF 2.1, with refunds killed where the request, or the operator's word on the profile, is being written down."""
    # given: a delivered order that is not used, and refunds that will die at this point
    order = await running.shop.buy("esimka")
    await running.judge.statuses([order], "delivered")
    await running.judge.quiet()
    await restart(running.product, "refunds", point)
    # when: the buyer asks for the money
    asking = asyncio.create_task(asks(running, order))
    await died(running.product, "refunds", point)
    start_again(running.product, "refunds")
    view = await asking
    # then: one case, decided on the operator's report, returns the money once and ends the profile
    await running.judge.statuses([order], "refunded")
    assert (await asks(running, order))["case_id"] == view["case_id"]
    await running.judge.quiet()
    assert await refunds_at_the_bank(running, order) == [order.price]
    [profile] = await running.judge.new_profiles()
    assert profile["state"] == "cancelled"
    await mail_cites(running, order, "RF 2.1")
    rows = await running.product.query(
        "refunds", "SELECT verdict FROM decisions WHERE order_id = %s::uuid ORDER BY decided_at", order.id
    )
    assert [row[0] for row in rows] == ["await_observation", "approve"]


async def test_a_used_profile_is_no_ground_and_keeps_working(running: Running) -> None:
    """RF 3.1: the code was used. The refusal says why; the buyer keeps the eSIM, and the bank is not asked."""
    # given: an order whose eSIM is in use
    order = await running.shop.buy("esimka")
    [profile] = await running.judge.delivered([order])
    await running.sandbox.phone(profile["iccid"], 3, 4)
    await running.sandbox.use_data(profile["iccid"], 1)
    # when: the buyer asks for the money
    view = await asks(running, order)
    # then: the refusal names its clause, the bank is not asked, and the eSIM works on
    await mail_cites(running, order, "RF 3.1")
    assert (await asks(running, order))["case_id"] == view["case_id"]
    await running.judge.statuses([order], "delivered")
    await running.judge.quiet()
    assert await refunds_at_the_bank(running, order) == []
    [kept] = await running.judge.new_profiles()
    assert kept["state"] not in ("cancelled", "unavailable")


async def verdicts(running: Running, order: Order) -> list[tuple[str, str]]:
    """Verdict of the case as it stands, and why a person has to act (empty: nobody has to)."""
    rows = await running.product.query(
        "refunds", "SELECT verdict, COALESCE(person_why, '') FROM cases WHERE order_id = %s::uuid", order.id
    )
    return [(row[0], row[1]) for row in rows]


async def test_what_the_operator_does_not_know_is_waited_for(running: Running) -> None:
    """RF 2.1: nobody is paid on an install state that nobody names; as soon as it is named, the case ends by itself."""
    # given: a delivered order, and an operator that does not know the install state
    order = await running.shop.buy("esimka")
    [profile] = await running.judge.delivered([order])
    unknown = {"installState": None, "usedBytes": None}
    match = {"iccid": profile["iccid"]}
    await running.sandbox.faults({"target": "operator.usage", "effect": "forge", "fields": unknown, "match": match})
    # when: the buyer asks for the money
    await asks(running, order)

    async def unanswered() -> str:
        hits = sum(rule["hits"] for rule in await running.sandbox.active_faults())
        return "" if hits > 1 else f"the operator was asked {hits} times"

    # then: the case waits, and the bank is not asked
    await until(unanswered)
    assert await verdicts(running, order) == [("await_observation", "")]
    assert await refunds_at_the_bank(running, order) == []
    # when: the operator knows it
    await running.sandbox.clear_faults()
    # then: the money goes back, and the profile is ended
    await running.judge.statuses([order], "refunded")
    await mail_cites(running, order, "RF 2.1")
    [gone] = await running.judge.new_profiles()
    assert gone["state"] == "cancelled"


async def test_the_code_is_taken_out_of_use_before_the_money_goes(running: Running) -> None:
    """I13: while the operator has not confirmed the revocation, the bank is not asked."""
    # given: a case that is to be refunded, and an operator that does not revoke
    order, profile = await being_revoked(running)
    # then: the bank is not asked
    assert await refunds_at_the_bank(running, order) == []
    # when: the operator revokes again
    await running.sandbox.clear_faults()
    # then: the money goes back once, and the profile is ended
    await running.judge.statuses([order], "refunded")
    await running.judge.quiet()
    assert await refunds_at_the_bank(running, order) == [order.price]
    [gone] = [one for one in await running.judge.new_profiles() if one["iccid"] == profile["iccid"]]
    assert gone["state"] == "cancelled"


async def test_a_code_scanned_between_the_look_and_the_revocation_is_too_late(running: Running) -> None:
    """RC 1: the revocation is the last word. The operator refuses it, and the case is decided again on that fact."""
    # given: a case that is to be refunded, and an operator that does not revoke
    order, profile = await being_revoked(running)
    # when: the buyer scans the code before the operator revokes again
    await running.sandbox.phone(profile["iccid"], 3)
    await running.sandbox.clear_faults()
    # then: the request is refused, and the bank is not asked
    await mail_cites(running, order, "RC 1")
    await running.judge.statuses([order], "delivered")
    await running.judge.quiet()
    assert await verdicts(running, order) == [("deny", "")]
    assert await refunds_at_the_bank(running, order) == []
