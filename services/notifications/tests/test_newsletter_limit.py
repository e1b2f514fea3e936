"""How many newsletters a shop may have sent, also when it asks for many at once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx

from notifications.newsletters.store import MAX_A_DAY

if TYPE_CHECKING:
    from services.notifications.tests.conftest import Notifications, Start

KEYS = {"storefront_keys": {"esimka": "shop-key", "qazaq-esim": "other-shop-key"}, "agent_keys": {"vera": "agent-key"}}
LETTERS = {"en": {"subject": "Spring in Turkey", "text": "Cheaper now."}}


@asynccontextmanager
async def client_of(running: "Notifications", key: str = "shop-key") -> AsyncIterator[httpx.AsyncClient]:
    headers, url = {"authorization": f"Bearer {key}"}, running.address
    async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False, headers=headers) as client:
        yield client


async def send(client: httpx.AsyncClient, key: str, storefront: str = "esimka") -> httpx.Response:
    wanted = {"storefront": storefront, "letters": LETTERS}
    return await client.post("/newsletters", json=wanted, headers={"idempotency-key": key})


async def test_a_shop_has_so_many_newsletters_a_day_also_when_it_asks_at_once(start: "Start") -> None:
    running = await start(**KEYS)
    async with client_of(running) as client:
        answers = await asyncio.gather(*(send(client, f"news {number}") for number in range(2 * MAX_A_DAY)))
        codes = Counter(answer.status_code for answer in answers)
        assert codes == {202: MAX_A_DAY, 429: MAX_A_DAY}
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert refused.json()["type"] == "urn:problem:too-many-newsletters"
        assert refused.headers["retry-after"] == "86400"
        sent = next(number for number, answer in enumerate(answers) if answer.status_code == 202)
        assert (await send(client, f"news {sent}")).status_code == 202, "the same one is no other"
    assert len(await running.rows("SELECT 1 FROM newsletters")) == MAX_A_DAY
    assert running.service.metrics.limits.labels("newsletters")._value.get() == MAX_A_DAY
    async with client_of(running, "other-shop-key") as client:
        assert (await send(client, "spring", "qazaq-esim")).status_code == 202
    async with client_of(running, "agent-key") as client:
        assert (await send(client, "by an agent")).status_code == 202
