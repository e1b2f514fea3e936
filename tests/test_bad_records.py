"""Records that are no facts, amid orders on their way: they are put aside, and hold up nobody."""

import asyncio

from product.hands import Running
from shared.contracts import EVENTS, Event, OrderPaid, OrderPlaced, OrderSubmitted, ProfileGenerated, QrDelivered
from shared.messaging.cloudevents import Headers, to_wire

ID = "01890000-0000-7000-8000-00000000000"
#: Who reads each topic, and so has to put its bad records aside.
READERS: dict[type[Event], tuple[str, ...]] = {
    OrderSubmitted: ("ordering",),
    OrderPlaced: ("payments",),
    OrderPaid: ("ordering", "provisioning", "refunds", "notifications"),
    ProfileGenerated: ("ordering", "notifications", "refunds"),
    QrDelivered: ("ordering", "refunds"),
}


def bad(topic: str) -> list[tuple[bytes | None, bytes | None, Headers]]:
    """One of each kind: no event, no JSON, not its fields, an unknown version, a tombstone where none belongs."""
    good = {"ce_specversion": "1.0", "ce_type": EVENTS[topic].ce_type(), "ce_source": "/tests"}
    return [
        (None, b"", [("ce_id", None), ("x", b"\xff\xfe")]),  # type: ignore[list-item] # a null header
        (b"k", b"{not json", to_wire({**good, "ce_id": f"{ID}1"})),
        (b"\xff", b'{"order_id": 1}', to_wire({**good, "ce_id": f"{ID}2"})),
        (b"k", b"{}", to_wire({**good, "ce_id": f"{ID}3", "ce_type": f"{topic}.v99"})),
        (b"k", None, to_wire({**good, "ce_id": f"{ID}4"})),
    ]


async def test_bad_records_on_every_topic_hold_up_no_order(running: Running) -> None:
    records = [(event.topic, record) for event in READERS for record in bad(event.topic)]
    expected = dict.fromkeys((name for names in READERS.values() for name in names), 0)
    for event, names in READERS.items():
        for name in names:
            expected[name] += len(bad(event.topic))

    async def spoil() -> None:
        for topic, (key, value, headers) in records:
            await running.topics.raw(topic, key, value, headers)

    orders, *_ = await asyncio.gather(running.shop.buy_many(8, together=3), spoil(), spoil())
    try:
        await running.judge.put_aside({name: 2 * count for name, count in expected.items()})
    finally:
        for name in expected:
            await running.product.forgive(name)
    await running.judge.delivered(orders)
