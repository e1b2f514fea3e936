"""Records that are no facts, amid orders on their way: they are put aside, and hold up nobody."""

import asyncio

from aiokafka import TopicPartition

from local_stack.access import read_access
from product.harness import Running
from product.running import NAMES
from shared.contracts import (
    EVENTS,
    Event,
    OrderPaid,
    OrderPlaced,
    OrderSubmitted,
    ProfileGenerated,
    QrDelivered,
    orders_topic,
)
from shared.messaging.cloudevents import Headers, to_wire
from shared.testing.record_batches import RawBatch, RawRecord, gzipped, produce_raw, varint

ID = "01890000-0000-7000-8000-00000000000"
#: Who reads each topic, and so has to put its bad records aside.
READERS: dict[type[Event], tuple[str, ...]] = {
    OrderSubmitted: ("ordering",),
    OrderPlaced: ("payments",),
    OrderPaid: ("ordering", "provisioning", "refunds", "notifications"),
    ProfileGenerated: ("ordering", "notifications", "refunds"),
    QrDelivered: ("ordering", "refunds"),
}
#: Where a record of that kind is put: a shop's is on its own topic.
ADDRESSES = {OrderSubmitted.topic: orders_topic("esimka")}


def bad(topic: str) -> list[tuple[bytes | None, bytes | None, Headers]]:
    """One of each kind: no event, no JSON, not its fields, an unknown version, a tombstone where none belongs."""
    good = {
        "ce_specversion": "1.0",
        "ce_type": EVENTS[topic].ce_type(),
        "ce_source": f"/services/{EVENTS[topic].owner()}",
    }
    return [
        (None, b"", [("ce_id", None), ("x", b"\xff\xfe")]),  # type: ignore[list-item] # a null header
        (b"k", b"{not json", to_wire({**good, "ce_id": f"{ID}1"})),
        (b"\xff", b'{"order_id": 1}', to_wire({**good, "ce_id": f"{ID}2"})),
        (b"k", b"{}", to_wire({**good, "ce_id": f"{ID}3", "ce_type": f"{topic}.v99"})),
        (b"k", None, to_wire({**good, "ce_id": f"{ID}4"})),
    ]


async def test_bad_records_on_every_topic_hold_up_no_order(running: Running) -> None:
    # given: bad records of each kind for each topic
    records = [(event.topic, record) for event in READERS for record in bad(event.topic)]
    expected = dict.fromkeys((name for names in READERS.values() for name in names), 0)
    for event, names in READERS.items():
        for name in names:
            expected[name] += len(bad(event.topic))

    async def spoil() -> None:
        for topic, (key, value, headers) in records:
            await running.topics.raw(ADDRESSES.get(topic, topic), key, value, headers)

    # when: they arrive among orders
    orders, *_ = await asyncio.gather(running.shop.buy_many(8, together=3), spoil(), spoil())
    # then: each reader has put its own aside, and each order is delivered
    try:
        await running.judge.put_aside({name: 2 * count for name, count in expected.items()})
    finally:
        for name in expected:
            await running.product.forgive(name)
    await running.judge.delivered(orders)


#: Every topic, and which of the five services read it. Its own topics a service reads only when it is recovered.
ALL_READERS: dict[str, set[str]] = {}
for _principal in read_access().principals:
    for _acl in _principal.acls:
        _own = _acl.name.startswith(f"{_principal.of}.")
        if _acl.type == "topic" and "Read" in _acl.operations and _principal.of in NAMES and not _own:
            ALL_READERS.setdefault(_acl.name, set()).add(_principal.of)


def raw(number: int) -> list[bytes]:
    """Batches that no client would send: a name that is not UTF-8 (packed for every second topic), a lying length."""
    named = RawBatch((RawRecord(b"junk", b"k", ((b"\xff\xfe", b"v"), (b"\xc3(", None))),))
    lying = RawBatch((RawRecord(body=b"\x00\x00\x02\x01" + varint(900)),))
    return [(gzipped(named) if number % 2 else named).encode(), lying.encode()]


async def test_raw_batches_on_every_topic_lose_no_order_of_any_partition(running: Running) -> None:
    """The broker's own checks decide which of them are taken; what is taken is put aside by every reader."""
    # given: batches that no client would send
    expected = dict.fromkeys(NAMES, 0)
    kafka, prefix = running.product.kafka, running.product.prefix

    async def spoil() -> None:
        for number, (topic, readers) in enumerate(sorted(ALL_READERS.items())):
            for data in raw(number):
                if await produce_raw(kafka, TopicPartition(prefix + topic, number % 2), data) == 0:
                    for name in readers:
                        expected[name] += 1

    # when: they arrive among orders
    orders, _ = await asyncio.gather(running.shop.buy_many(12, together=4), spoil())
    # then: each reader has put aside what the broker took, and each order is delivered
    try:
        await running.judge.put_aside(expected)
    finally:
        for name in expected:
            await running.product.forgive(name)
    await running.judge.delivered(orders)
    for name in NAMES:
        assert expected[name] > 0
