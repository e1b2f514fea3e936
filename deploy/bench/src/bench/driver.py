"""Plays payments: publishes paid orders, and notes when each of them is delivered.

The clock is one process's own: an order's latency runs from the moment its OrderPaid was due to be sent until its
QrDelivered was read back.
"""

import asyncio
import time
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self
from uuid import UUID

from aiokafka import AIOKafkaConsumer, ConsumerRecord

from bench.record_log import Record
from shared.contracts import BuyerContact, Event, Money, OrderPaid, Plan, QrDelivered
from shared.database import Outgoing
from shared.ids import uuid7
from shared.messaging.access import KafkaAccess
from shared.messaging.cloudevents import header_texts, to_wire
from shared.messaging.producer import Producer
from shared.messaging.reading import GroupReading
from shared.telemetry.tracing import new_traceparent

PLAN = Plan(
    id="tr-5gb-30d", title="Turkey 5 GB", coverage=("TR",), data_mb=5120, validity_days=30, profile_type="TR-5GB"
)
_TICK = 0.005
_LOOK_AGAIN_SECONDS = 0.2
#: Seconds to wait for all orders: so many at least, and a second more for every hundred orders.
_PATIENCE, _SLOWEST_PER_SECOND = 300.0, 100


def buyers(count: int) -> tuple[list[UUID], list[Record]]:
    """So many buyers, and their contacts."""
    now = datetime.now(UTC)
    ids = [uuid7() for _ in range(count)]
    contacts = (
        BuyerContact(
            buyer_id=buyer_id,
            storefront="esimka",
            name="Bench Buyer",
            email=f"buyer{number}@bench.example",
            phone="+995555000111",
            language="en",
            newsletter=False,
            updated_at=now,
        )
        for number, buyer_id in enumerate(ids)
    )
    return ids, [_record(contact, None, now) for contact in contacts]


def orders(buyer_ids: Sequence[UUID], *, traced: float, per_second: float | None = None) -> list[Record]:
    """An order of each buyer, paid now, or one after the other at a rate, from now on.

    `traced` is the share of orders whose trace is recorded. Send them soon: half a minute after the payment a
    waiting buyer gets a mail about the delay, which is more work.
    """
    now = datetime.now(UTC)
    apart = timedelta(seconds=1 / per_second if per_second else 0)
    every = round(1 / traced) if traced else len(buyer_ids) + 1
    paid = []
    for number, buyer_id in enumerate(buyer_ids):
        order = OrderPaid(
            order_id=uuid7(),
            order_number=str(10_000_000 + number),
            storefront="esimka",
            buyer_id=buyer_id,
            kind="esim",
            plan=PLAN,
            paid=Money(amount=1500, currency="USD"),
            invoice_id=str(1_000_000 + number),
            paid_at=now + number * apart,
        )
        paid.append(_record(order, new_traceparent(sampled=number % every == 0), now))
    return paid


def _record(event: Event, trace: str | None, now: datetime) -> Record:
    texts = header_texts(Outgoing(event, trace), now)
    return Record(event.topic, event.key().encode(), event.model_dump_json().encode(), to_wire(texts))


@dataclass(frozen=True, slots=True)
class Delivery:
    """When an order was due to be sent and when it was delivered, in seconds of the driver's clock."""

    due: float
    ended: float


def _key(record: ConsumerRecord) -> bytes:
    return bytes(record.key)


class Driver:
    """One producer, one consumer at the end of the way. `prefix`: of the topics.

    `ends` is the topic of the last fact; `key_of` says by which key a record of it was sent.
    """

    def __init__(
        self,
        kafka: KafkaAccess,
        *,
        prefix: str = "",
        ends: type[Event] = QrDelivered,
        key_of: Callable[[ConsumerRecord], bytes] = _key,
    ) -> None:
        self._kafka = kafka
        self._key_of = key_of
        self._producer = Producer(kafka, prefix=prefix)
        self._consumer = AIOKafkaConsumer(
            prefix + ends.topic, **kafka.aiokafka(), auto_offset_reset="latest", group_id=None
        )
        #: Keys of the orders that were not delivered yet; those of others are not counted.
        self._waiting: set[bytes] = set()
        self._arrived: dict[bytes, float] = {}
        self._all_arrived = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._producer.start()
        await self._consumer.start()
        async with asyncio.timeout(_PATIENCE):
            while not self._consumer.assignment():  # noqa: ASYNC110 - the brokers have just made the topic
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
            await self._consumer.seek_to_end()
            for place in self._consumer.assignment():
                await self._consumer.position(place)
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._reading:
            self._reading.cancel()
        await self._consumer.stop()
        await self._producer.stop()

    async def _read(self) -> None:
        while True:
            fetched = await self._consumer.getmany(timeout_ms=1000)
            now = time.perf_counter()
            keys = {self._key_of(record) for records in fetched.values() for record in records} & self._waiting
            self._arrived |= dict.fromkeys(keys, now)
            self._waiting -= keys
            if not self._waiting:
                self._all_arrived.set()

    def _expect(self, records: Sequence[Record]) -> None:
        self._waiting, self._arrived = {record.key for record in records}, {}
        self._all_arrived.clear()

    async def send(self, records: Sequence[Record]) -> None:
        """Send all and wait for the acknowledgements."""
        await asyncio.gather(*(future for future, _ in await self._producer.send_all(records)))

    async def flood(self, records: Sequence[Record]) -> float:
        """All at once; returns seconds from the first send to the last delivery."""
        self._expect(records)
        began = time.perf_counter()
        await self.send(records)
        return max(await self._delivered(records)) - began

    async def paced(self, records: Sequence[Record], per_second: float) -> list[Delivery]:
        """At a steady rate whatever comes back (open loop)."""
        self._expect(records)
        began = time.perf_counter() + 0.05
        due = [began + number / per_second for number in range(len(records))]
        futures, sent = [], 0
        while sent < len(records):
            until = bisect_right(due, time.perf_counter())
            if until > sent:
                futures += [future for future, _ in await self._producer.send_all(records[sent:until])]
                sent = until
            await asyncio.sleep(_TICK)
        await asyncio.gather(*futures)
        return [Delivery(*times) for times in zip(due, await self._delivered(records), strict=True)]

    async def one_by_one(self, records: Sequence[Record], *, pause: float) -> list[float]:
        """Each alone on an idle stack; returns latencies in seconds."""
        latencies = []
        for record in records:
            self._expect([record])
            began = time.perf_counter()
            await self.send([record])
            latencies.append((await self._delivered([record]))[0] - began)
            await asyncio.sleep(pause)
        return latencies

    async def _delivered(self, records: Sequence[Record]) -> list[float]:
        patience = _PATIENCE + len(records) / _SLOWEST_PER_SECOND
        try:
            async with asyncio.timeout(patience):
                await self._all_arrived.wait()
        except TimeoutError:
            missing = f"{len(self._waiting)} of {len(records)} orders"
            raise TimeoutError(f"{missing} were not delivered within {patience:.0f} s") from None
        return [self._arrived[record.key] for record in records]

    async def consumed(self, group: str, topic: str) -> None:
        """Wait until a group has read a topic to its end."""
        reading = GroupReading(self._kafka, group, [topic])
        while not await reading.caught_up():  # noqa: ASYNC110 - another process's offsets
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
