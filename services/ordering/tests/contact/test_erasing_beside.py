"""An erasure at the same time as other requests of its mailbox: no order is erased in part, and no request fails.

Many rounds with random delays, so that the requests meet at different points. After each round all tables are checked.
"""

import asyncio
import random
from collections import Counter
from typing import TYPE_CHECKING
from uuid import uuid4

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.ordering.tests.contact.conftest import Person, World

ROUNDS = 25
#: Where the contact is gone, nothing personal of the order may be left; where it is there, all of it is.
_HALF_ERASED = """
SELECT o.order_id FROM orders o LEFT JOIN buyers b USING (buyer_id) LEFT JOIN session_records s USING (order_id)
WHERE (b.buyer_id IS NULL) <> (s.order_id IS NULL)
  OR (b.buyer_id IS NULL) <> EXISTS (SELECT 1 FROM erasures e WHERE e.buyer_id = o.buyer_id AND e.service = 'ordering')
"""
_LEFT_OF_REQUESTS = """
SELECT c.confirmation_id FROM confirmations c LEFT JOIN buyers b USING (buyer_id)
WHERE b.buyer_id IS NULL AND (c.payload IS NOT NULL OR c.contact_hash IS NOT NULL)
"""
_LEFT_ON_THE_WAY = """
SELECT x.id FROM outbox x WHERE x.topic = 'ordering.buyer-contact' AND x.value IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM buyers b WHERE b.buyer_id::text = x.key)
"""


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_an_erasure_beside_everything_else_of_its_mailbox(
    world: "World", people: "Sequence[Person]", seed: int
) -> None:
    person, _ = people
    chance = random.Random(seed)  # noqa: S311 - not for secrets
    outcomes: Counter[tuple[str, int]] = Counter()

    async def post(name: str, delay: float, path: str, body: object, **headers: str) -> httpx.Response:
        await asyncio.sleep(delay)
        answer = await world.shop.http.post(path, json=body, headers={**world.shop.auth(), **headers})
        outcomes[name, answer.status_code] += 1
        return answer

    for _ in range(ROUNDS):
        first = await world.order(person.email, person.phone, by=person)
        second = await world.order(person.email, person.phone, by=person)
        await world.press(first)
        await world.press(second)
        requested = [
            await world.ask(first, "erase"),
            await world.ask(second, "erase"),
            await world.correct(first, name="Zoë Neu"),
            await world.ask(second, "block"),
        ]
        assert [answer.status_code for answer in requested] == [202] * 4, [answer.text for answer in requested]
        steps = [
            post("confirm", chance.random() / 50, f"/confirmations/{identity}", {"code": code})
            for identity, code in [await world.code(answer) for answer in requested]
        ]
        body = world._good_order("esimka", email=person.email, phone=person.phone)
        steps += [
            post("order", chance.random() / 50, "/orders", body, **{"Idempotency-Key": str(uuid4())}) for _ in range(4)
        ]
        steps += [
            post("correct", chance.random() / 50, f"/orders/{first.order_id}/contact-changes", {"name": "Z"}),
            post("ask", chance.random() / 50, "/privacy/requests", {"order": second.number, "kind": "export"}),
        ]
        chance.shuffle(steps)
        await asyncio.gather(*steps)
        assert await world.shop.rows(_HALF_ERASED) == []
        assert await world.shop.rows(_LEFT_OF_REQUESTS) == []
        assert await world.shop.rows(_LEFT_ON_THE_WAY) == []
        assert await world.contact(first) == await world.contact(second) == [], "both were erased"
    assert {status for _, status in outcomes} <= {200, 201, 202, 409, 410}, outcomes
    assert outcomes["order", 201] == 4 * ROUNDS, "an erasure refuses nobody's new order"
