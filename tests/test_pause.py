"""An instance that was frozen beyond its lease wakes up when others have done its work."""

import asyncio

import pytest

from product.harness import Running
from product.judge import Profile, until

ORDERS = 6


@pytest.mark.long
@pytest.mark.parametrize("call", ["operator.download_order", "operator.confirm_order"])
async def test_a_frozen_instance_changes_nothing_that_others_did(running: Running, call: str) -> None:
    """Frozen in the first call, it wakes up right before the second one, which others have made meanwhile."""
    # given: a second instance that is stopped
    product, shop, sandbox = running.product, running.shop, running.sandbox
    first, second = product.services["provisioning"], product.second("provisioning")
    try:
        # when: the first instance is frozen in the middle of calls, each of which hangs for a moment (on a busy machine
        # these may be over by then: once more), and the second one does the work
        profiles: list[Profile] = []
        while max(map(repetitions, profiles), default=1) == 1:
            await second.stop()
            first.resume()
            await product.ready("provisioning")
            await running.judge.begin()
            await sandbox.faults({"target": call, "effect": "delay", "seconds": 1.5, "times": ORDERS})
            buying = asyncio.create_task(shop.buy_many(ORDERS, together=ORDERS))

            async def not_called() -> str:
                return "" if await running.judge.new_profiles() else "the operator was not called"

            await until(not_called)
            first.pause()
            second.start()
            orders = await buying
            profiles = await running.judge.delivered(orders)
        # then: the first instance changes none of the profiles. It is back when it has done an order of its own.
        first.resume()
        await second.stop()
        await product.ready("provisioning")
        later = await shop.buy_many(2)
        both = await running.judge.delivered([*orders, *later])
        assert [one["iccid"] for one in both[:ORDERS]] == [one["iccid"] for one in profiles]
    finally:
        first.resume()
        await second.stop()


def repetitions(profile: Profile) -> int:
    return sum(call["function"] == "downloadOrder" for call in profile["calls"])
