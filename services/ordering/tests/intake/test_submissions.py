"""Orders over Kafka: the same rules and the same keys as over HTTP, and a rejection for every refusal."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ordering.catalogue.models import Catalogue
from ordering.holds.models import Counts, Limits
from ordering.intake.actions import accept, check
from ordering.intake.models import Accepted, Submission
from shared.contracts import BuyerContact, OrderPlaced, OrderRejected, OrderSubmitted, orders_topic
from shared.database import Rows
from shared.ids import uuid7
from shared.messaging.cloudevents import to_wire
from shared.sealed import Sealed
from shared.shops.reading import read_shops
from shared.testing.documents import Row
from shared.testing.shops import EXAMPLES
from shared.testing.stage import Stage

if TYPE_CHECKING:
    from services.ordering.tests.conftest import OrderBody, Shop

TOPIC = orders_topic("esimka")
#: One phone with many addresses is what fraud control is for; here only statements are counted.
NO_LIMITS = Limits(**dict.fromkeys(Counts.__slots__, 10**9))
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def headers(kind: str = OrderSubmitted.ce_type()) -> dict[str, str]:
    return {"ce_specversion": "1.0", "ce_id": str(uuid7()), "ce_type": kind, "ce_source": "/storefronts/esimka"}


async def test_an_order_over_kafka_is_the_same_order(shop: "Shop", stage: Stage) -> None:
    await stage.publish(shop.submitted("s1"), trace=TRACE)
    [placed] = await stage.events(OrderPlaced)
    [contact] = await stage.events(BuyerContact)
    assert contact.event.buyer_id == placed.event.buyer_id
    assert placed.trace
    assert placed.trace[3:35] == TRACE[3:35]
    over_http = await shop.place(key="s1")
    assert over_http.status_code == 201
    assert over_http.headers["Idempotent-Replay"] == "true"
    assert over_http.json()["order_id"] == str(placed.event.order_id)
    [session] = await shop.rows("SELECT * FROM session_records")
    assert (session.ip, session.user_agent) == (None, None)


async def test_refusals_are_answered_with_reasons_and_without_values(
    shop: "Shop", stage: Stage, good_order: "OrderBody"
) -> None:
    await shop.place(key="taken")
    sent = [
        shop.submitted("s1", good_order(email="secret", phone="secret")),
        shop.submitted("s2", good_order(offer_version="secret")),
        shop.submitted("s3", {"secret@example.org": "secret"}),
        shop.submitted("taken", good_order(plan="tr-20gb-30d")),
        shop.submitted("taken"),
        shop.submitted("nul\x00 and ключ"),
    ]
    await stage.publish(*sent, shop.submitted("good"), trace=TRACE)
    found = {one.event.submission_id: one for one in await stage.events(OrderRejected, count=5)}
    assert {key: one.event.reason for key, one in found.items()} == {
        "s1": "invalid-order",
        "s2": "outdated-documents",
        "s3": "invalid-order",
        "taken": "idempotency-key-reused",
        "nul\ufffd and ключ": "invalid-idempotency-key",
    }
    assert [error.field for error in found["s1"].event.errors] == ["buyer.email", "buyer.phone"]
    assert not any("secret" in one.event.model_dump_json() for one in found.values())
    assert all(one.trace and one.trace[3:35] == TRACE[3:35] for one in found.values())
    await stage.events(OrderPlaced, count=2)
    assert len(await stage.all_events(OrderRejected)) == 5
    assert await shop.rows("SELECT 1 FROM dead_letters") == []


async def test_repeated_and_simultaneous_submissions_give_one_order(shop: "Shop", stage: Stage) -> None:
    same = [shop.submitted("s1") for _ in range(30)]
    await asyncio.gather(stage.publish(*same), *[shop.place(key="s1") for _ in range(10)], stage.publish(*same))
    await stage.publish(shop.submitted("last"))
    [last] = await stage.events(OrderPlaced, where=lambda e: e.order_number != "10000001", count=1)
    assert last
    assert len(await shop.rows("SELECT 1 FROM orders")) == 2
    assert len(await stage.all_events(OrderPlaced)) == 2
    assert await stage.all_events(OrderRejected) == []


async def test_unreadable_records_become_sealed_dead_letters_and_valid_ones_pass(shop: "Shop", stage: Stage) -> None:
    good = [shop.submitted(f"s{number}") for number in range(5)]
    canary = b'{"storefront": "esimka", "order": {"buyer": {"email": "canary@example.org"}}}'
    await asyncio.gather(
        stage.publish(*good[:2]),
        stage.raw(TOPIC, b"k", canary, to_wire(headers())),
        stage.raw(TOPIC, b"k", b"{not json", to_wire(headers())),
        stage.raw(TOPIC, b"k", None, to_wire(headers())),
        stage.raw(
            TOPIC, b"\xff", good[0].model_dump_json().encode(), to_wire(headers("storefront.order-submitted.v9"))
        ),
        stage.raw(TOPIC, None, canary, [("ce_id", None), ("ce_type", b"\xff\xfe")]),  # type: ignore[list-item] # null header
        stage.publish(*good[2:4]),
    )
    # Strange headers beside good ones harm nobody.
    tolerated = [*to_wire(headers()), ("note", None), ("traceparent", b"\xff\xfe")]
    await stage.raw(TOPIC, b"k", good[4].model_dump_json().encode(), tolerated)  # type: ignore[arg-type] # null header
    placed = await stage.events(OrderPlaced, count=5)
    assert len({one.event.order_id for one in placed}) == 5

    async def all_there() -> list[Row]:
        rows = await shop.rows("SELECT * FROM dead_letters ORDER BY reason")
        return rows if len(rows) == 5 else []

    letters = await stage.eventually(all_there)
    assert sorted(letter.reason for letter in letters) == [
        "invalid_body",
        "invalid_body",
        "invalid_body",
        "not_a_cloudevent",
        "unknown_version",
    ]
    with_payload = [letter for letter in letters if letter.payload is not None and len(letter.payload)]
    assert all(letter.sealed for letter in with_payload)
    assert not any(b"canary" in bytes(letter.payload) for letter in with_payload)
    opened = [
        shop.service.opener.open(Sealed(recipient="ordering", box=bytes(x.payload).decode())) for x in with_payload
    ]
    assert canary in opened


async def test_a_batch_costs_the_same_few_statements_whatever_its_size(shop: "Shop", good_order: "OrderBody") -> None:
    catalogue = Catalogue(read_shops(EXAMPLES), datetime.now(UTC))
    statements: list[str] = []

    counts = []
    for size in (1, 300):
        batch = [
            Submission("esimka", f"{size}-{n // 2 if n % 50 else n}", good_order(email=f"b{n % 40}@example.org"), TRACE)
            for n in range(size)
        ]
        batch.append(Submission("esimka", f"{size}-bad", good_order(plan="no-such-plan"), TRACE))
        async with shop.service.database.transaction("consumer") as tx:
            execute = tx.execute

            async def note(sql: str, execute: Callable[..., Awaitable[Rows]] = execute, **parameters: object) -> Rows:
                statements.append(sql)
                return await execute(sql, **parameters)

            tx.execute = note  # type: ignore[method-assign] # counts the statements of this transaction
            checked = [check(submission, catalogue) for submission in batch]
            outcomes = await accept(tx, checked, keep_sessions=timedelta(days=1), limits=lambda _shop: NO_LIMITS)
            tx.outgoing.clear()
            counts.append(len(statements))
            statements.clear()
        keys = {submission.key for submission in batch}
        fresh = [one for one in outcomes if isinstance(one, Accepted) and not one.replayed]
        assert len(fresh) == len(keys) - 1
        assert len({one.placed.order_id for one in outcomes if isinstance(one, Accepted)}) == len(fresh)
    assert counts[0] == counts[1] <= 7
