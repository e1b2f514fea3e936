"""The tour's first act on the whole product: it buys through the client, and the shops hear it by webhook."""

import io
from pathlib import Path
from typing import cast

from rich.console import Console

from local_stack.stack import Stack
from product.harness import Running
from tour.acts import storefronts
from tour.buying import Buying, buying_at
from tour.expectations import Outcome
from tour.narrator import Narrator
from tour.stage import Stage


async def endpoints(buying: Buying) -> set[str]:
    """Other tests connect the same shops."""
    shops = ("qazaq-esim", "e-sim-onl", "esimka")
    return {each.endpoint_id for slug in shops for each in await buying.client(slug).webhook_endpoints()}


async def test_each_shop_sells_one_esim_and_gets_signed_webhooks(running: Running, tmp_path: Path) -> None:
    shown = io.StringIO()
    outcome = Outcome(storefronts.NAME)
    async with buying_at(running.product.site) as (buying, sandbox):
        # This act needs no stack to stop or to start.
        stage = Stage(cast("Stack", None), buying, sandbox, Narrator(Console(file=shown, width=100)), tmp_path)
        before = await endpoints(buying)
        await storefronts.perform(stage, outcome)
        left = await endpoints(buying) - before
    assert outcome.unmet == []
    assert (outcome.orders, outcome.delivered) == (3, 3)
    assert "webhooks came, signed for their shop" in shown.getvalue()
    assert '"type": "order.delivered"' in shown.getvalue()
    assert left == set()
