"""An eSIM from its purchase to its end: data that runs low and an end that approaches, by the mails that arrived."""

import re

from product.harness import Running
from product.judge import until
from product.shop import Order

#: As if it had been sold so long ago: its last day is in ten days (RC 7), and in a moment.
_AGES = """
UPDATE lives SET generated_at = generated_at - interval '170 days', valid_until = now() + interval '10 days',
                 look_at = now() WHERE order_id = %s::uuid RETURNING order_id
"""
#: The data of the plan that tests buy, tr-5gb-30d.
_TOTAL = 5 * 2**30
_ENDS = "UPDATE lives SET valid_until = now(), look_at = now() WHERE order_id = %s::uuid RETURNING order_id"


async def test_which_mails_a_buyer_gets_until_an_esim_ends(running: Running) -> None:
    # given: three delivered eSIMs
    low, used_up, unused = [await running.shop.buy("esimka") for _ in range(3)]
    profiles = await running.judge.delivered([low, used_up, unused])
    iccid_of_low, iccid_of_used_up, _ = [str(profile["iccid"]) for profile in profiles]

    # when: the data of the first run low, and those of the second are used up; then: each has a mail
    await running.sandbox.use_data(iccid_of_low, _TOTAL * 79 // 100)
    await running.sandbox.use_data(iccid_of_low, _TOTAL * 85 // 100)
    [mail] = await mails(running, low, "data_low")
    assert "80" in mail["subject"]
    await running.sandbox.use_data(iccid_of_used_up, _TOTAL)
    [mail] = await mails(running, used_up, "data_low")
    assert "80" not in mail["subject"]

    # when: the first is used up on the same day; then: the timeline says so, and there is no second mail
    await running.sandbox.use_data(iccid_of_low, _TOTAL)
    await timeline_has(running, low, "100 %")
    await timeline_has(running, used_up, "100 %")
    await timeline_has(running, low, "80 %")

    # when: the end of the third approaches, and comes; then: a mail for each
    assert await running.product.query("provisioning", _AGES, unused.id)
    [mail] = await mails(running, unused, "expiring")
    assert re.search(r"/account/[\w-]+", mail["text"])
    assert await running.product.query("provisioning", _ENDS, unused.id)
    await running.judge.statuses([unused], "expired")
    await mails(running, unused, "expired")
    await running.judge.quiet()
    received = {
        order.number: sorted(kinds(await running.sandbox.mails(to=order.buyer.email)))
        for order in (low, used_up, unused)
    }
    assert received == {
        low.number: ["data_low", "qr"],
        used_up.number: ["data_low", "qr"],
        unused.number: ["expired", "expiring", "qr"],
    }


def kinds(found: list[dict[str, object]]) -> list[str]:
    """The kinds of mails, from their Message-IDs; receipts come as mails or as links in others."""
    names = [str(mail["message_id"]).partition("@")[0].rpartition(".")[2] for mail in found]
    return [name for name in names if name not in ("receipt", "order")]


async def mails(running: Running, order: Order, kind: str) -> list[dict[str, str]]:
    """The buyer's mails of a kind, once there is one."""
    found: list[dict[str, str]] = []

    async def missing() -> str:
        found[:] = [
            mail
            for mail in await running.sandbox.mails(to=order.buyer.email)
            if mail["message_id"].partition("@")[0].endswith(f".{kind}")
        ]
        return "" if found else f"no mail {kind} for order {order.number}"

    await until(missing)
    return found


async def timeline_has(running: Running, order: Order, words: str) -> None:
    """Wait until a sentence of the order's timeline has these words."""

    async def missing() -> str:
        sentences = await running.shop.timeline(order)
        return "" if any(words in sentence for sentence in sentences) else f"nothing of {words} in {sentences}"

    await until(missing)
