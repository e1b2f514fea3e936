"""Keys of shops that ordering creates at run time are accepted here, and refused once they are revoked."""

from typing import TYPE_CHECKING

import httpx

from shared.ids import uuid7
from shared.testing.api_keys import check_keys
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.refunds.tests.conftest import Start


async def test_keys_are_accepted_and_refused(start: "Start", stage: Stage) -> None:
    running = await start()
    url = f"{running.address}/orders/{uuid7()}/refund-eligibility"
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        await check_keys(stage, lambda key: client.get(url, headers={"authorization": f"Bearer {key}"}), "refunds")
