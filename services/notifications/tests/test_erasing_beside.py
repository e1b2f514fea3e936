"""An erasure beside new facts of the same buyer, and beside what is pressed on the account page at that moment."""

import asyncio
import random
import re
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from notifications.app import new_links
from shared.contracts import NotificationsBuyerErased
from shared.contracts.base import Event
from shared.ids import uuid7

if TYPE_CHECKING:
    from services.notifications.tests.conftest import Buyer, Start

ROUNDS = 15
_LEFT = """
SELECT 'contact' AS what FROM contacts
WHERE buyer_id = :buyer AND (erased_at IS NULL OR num_nonnulls(name, email, phone) > 0)
UNION ALL SELECT 'mail' FROM mails WHERE buyer_id = :buyer AND (facts <> '{}' OR state IN ('due', 'waiting'))
UNION ALL SELECT 'work' FROM work WHERE payload->>'buyer_id' = CAST(:buyer AS text)
"""


async def test_nothing_fails_and_nothing_stays_whatever_comes_at_the_same_moment(start: "Start") -> None:
    running = await start(resend_limit=100, resend_gap_seconds=0.001, order_mail_after_seconds=60)
    chance = random.Random(7)  # noqa: S311 - not for secrets
    links = new_links(running.settings)
    outcomes: Counter[int] = Counter()
    async with running.http() as client:

        async def press(path: str, form: dict[str, str], what: str) -> None:
            await asyncio.sleep(chance.random() / 20)
            outcomes[(await client.post(f"{path}/{what}", data=form)).status_code] += 1

        async def tell(*facts: Event) -> None:
            await asyncio.sleep(chance.random() / 20)
            await running.stage.publish(*facts)

        for number in range(ROUNDS):
            buyer = running.buyer(f"canary{number}")
            await running.stage.publish(buyer.contact(newsletter=True), buyer.paid(), buyer.generated())
            await running.mail(buyer.email)
            await running.stage.eventually(
                partial(
                    running.rows,
                    "SELECT 1 FROM orders WHERE buyer_id = :b AND delivered_at IS NOT NULL",
                    b=buyer.buyer_id,
                )
            )
            path = urlsplit(links.account(buyer.order_id, buyer.email, buyer.now)).path
            page = (await client.get(path)).text
            [form] = set(re.findall(r'name="form" value="([0-9a-f]+)"', page))
            other = running.buyer(f"canary{number}", buyer_id=buyer.buyer_id, order_id=uuid7())
            steps = [
                tell(buyer.erasure()),
                tell(other.paid(), other.generated()),
                tell(buyer.contact(later=5), buyer.denied()),
                *(press(path, {"form": form}, what) for what in ("resend", "code", "news", "resend") for _ in range(3)),
            ]
            chance.shuffle(steps)
            await asyncio.gather(*steps)
            await running.stage.events(NotificationsBuyerErased, count=number + 1)

            async def nothing_left(buyer: "Buyer" = buyer) -> bool:
                return not await running.rows(_LEFT, buyer=buyer.buyer_id)

            await running.stage.eventually(nothing_left)
    assert set(outcomes) <= {200, 303, 404, 410}, outcomes
    assert outcomes[303] + outcomes[200] > ROUNDS, "some were pressed before the erasure"
