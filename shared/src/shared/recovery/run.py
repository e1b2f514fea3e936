"""Reads again what was lost: first the service's own events, then the topics that it subscribes to.

1. Refuse while an instance of the service runs, and where the topics do not reach back to the moment.
2. Apply the service's own events since then with the handlers of `RecoverySteps.facts`: what it has published is done.
3. Apply the topics that it subscribes to, with its usual handlers. The inbox knows what the backup had applied. No task
   is performed and nothing is published meanwhile, so each handler sees first what step 2 has stored.
4. Make every task uncertain that is due by now. Whether its call was made in the lost time is unknown, so its handler
   asks the other side before it makes a call (`shared.outcomes`). Timers of later, and parked tasks, stay as they are.

It may be repeated, also after a failure in the middle: each step changes nothing that it has changed before.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.contracts.base import Event
from shared.kernel.service import Service
from shared.messaging.cloudevents import UnreadableError
from shared.messaging.consumer import Handler, Received
from shared.messaging.dead_letters import TooManyDeadLettersError
from shared.messaging.parsing import RecordParser
from shared.messaging.record_batches import Fetched, NoRecord, until
from shared.recovery.models import RecoveredRecords, RecoveryRefusedError
from shared.recovery.stretches import Stretch, batches, connected, partitions, stretches
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
_UNCERTAIN = "UPDATE work SET state = 'unknown' WHERE state = 'due' AND due_at <= :now"
_OWNERLESS = "UPDATE work SET owner = NULL WHERE owner IS NOT NULL"
Say = Callable[[str], None]


async def recover(service: Service, since: datetime, say: Say) -> None:
    """Recover a service that is built and does not run. Raises RecoveryRefusedError."""
    async with service.standing():
        now = service.clock.now()
        if since >= now:
            raise RecoveryRefusedError("--since is in the future: it is a moment before that of the backup")
        await _Recovery(service, since, now, say).run()


class _Recovery:
    def __init__(self, service: Service, since: datetime, now: datetime, say: Say) -> None:
        self._service = service
        self._since = since
        self._now = now
        self._say = say
        self._prefix = service.settings.topic_prefix
        self._most = service.settings.consumer_max_records

    async def run(self) -> None:
        service, steps = self._service, self._service.recovery
        kafka, group = service.settings.kafka, self._prefix + service.name
        own = [self._prefix + event.topic for event in steps.facts]
        read = [self._prefix + topic for topic in service.consumer.topics]
        async with connected(kafka, group) as reader, connected(kafka, None) as own_reader:
            own_parts = await self._stretches(own_reader, await partitions(kafka, own))
            parts = await self._stretches(reader, await partitions(kafka, read))
            parts = await self._from_committed(reader, parts)
            await self._rewind(reader, parts)
            for event_class, handler in steps.facts.items():
                await self._apply_own(own_reader, own_parts, event_class, handler)
            records = RecoveredRecords(self._since, self._lost(own_parts | parts))
            for step in steps.before:
                self._say_all(await step(records))
            await self._consume(reader, parts)
        async with service.database.transaction("recovery") as tx:
            await tx.execute(_OWNERLESS)
            uncertain = (await tx.execute(_UNCERTAIN, now=tx.now)).rowcount
        self._say(f"{uncertain} tasks ask the other side before they call it")
        for step in steps.after:
            self._say_all(await step(records))

    async def _stretches(
        self, consumer: AIOKafkaConsumer, places: Sequence[TopicPartition]
    ) -> dict[TopicPartition, Stretch]:
        return await stretches(consumer, places, self._prefix, self._since, self._now)

    async def _from_committed(
        self, consumer: AIOKafkaConsumer, parts: Mapping[TopicPartition, Stretch]
    ) -> dict[TopicPartition, Stretch]:
        """Begin earlier where the group had not read so far, and at the first record where it had read none."""
        begins = {}
        for place, part in parts.items():
            committed = await consumer.committed(place)
            begins[place] = min(part.begin, committed or 0)
        return {place: Stretch(begins[place], part.end) for place, part in parts.items()}

    async def _rewind(self, consumer: AIOKafkaConsumer, parts: Mapping[TopicPartition, Stretch]) -> None:
        """Set the group back; brokers refuse that while it has a member."""
        if not parts:
            return
        consumer.assign(sorted(parts))
        try:
            await consumer.commit({place: part.begin for place, part in parts.items()})
        except KafkaError as error:
            raise RecoveryRefusedError(
                f"the consumer group could not be set back ({type(error).__name__}): stop every instance of "
                f"{self._service.name} first, and wait {self._service.settings.consumer_session_seconds:.0f} s"
            ) from error

    async def _apply_own(
        self,
        consumer: AIOKafkaConsumer,
        parts: Mapping[TopicPartition, Stretch],
        event_class: type[Event],
        handler: Handler,
    ) -> None:
        service, topic = self._service, event_class.topic
        parser = RecordParser(service.tracing, service.metrics, prefix=self._prefix, group=service.name)
        parser.topics.add(topic)
        parser.tombstone_topics.add(topic)
        of_topic = {place: part for place, part in parts.items() if place.topic == self._prefix + topic}
        applied, unreadable = 0, 0
        async for fetched in batches(consumer, of_topic, self._most):
            events = []
            for record in (record for records in fetched.values() for record in records):
                try:
                    event = _read(parser, record)
                except UnreadableError as error:
                    unreadable += 1
                    log.error("own_event_unreadable", topic=topic, offset=record.offset, reason=error.reason)  # noqa: TRY400 - the reason is enough
                else:
                    events += [event] if event else []
            async with service.database.transaction("recovery") as tx:
                await handler(tx, events)
            applied += len(events)
        self._say(f"{topic}: {applied} own events" + (f", {unreadable} unreadable (see the log)" * bool(unreadable)))

    async def _consume(self, consumer: AIOKafkaConsumer, parts: Mapping[TopicPartition, Stretch]) -> None:
        """Apply the records, and commit their offsets: the service goes on behind them."""
        applied = 0
        async for fetched in batches(consumer, parts, self._most):
            records = [record for records in fetched.values() for record in records]
            try:
                await self._service.consumer.consume(records)
            except TooManyDeadLettersError as error:
                raise RecoveryRefusedError(f"{error}: find the cause, then run it again") from error
            await consumer.commit({place: until(records[-1]) for place, records in fetched.items()})
            applied += len(records)
        self._say(f"{applied} records read again")

    def _lost(self, parts: Mapping[TopicPartition, Stretch]) -> dict[str, int]:
        lost: dict[str, int] = {}
        for place, part in parts.items():
            topic = str(place.topic).removeprefix(self._prefix)
            lost[topic] = lost.get(topic, 0) + part.end - part.begin
        return lost

    def _say_all(self, lines: Sequence[str]) -> None:
        for line in lines:
            self._say(line)


def _read(parser: RecordParser, record: Fetched) -> Received[Event] | None:
    """An event; None for a tombstone and for an offset without a record. Raises UnreadableError."""
    if isinstance(record, NoRecord):
        return None
    envelope, event = parser.read(record)
    return None if event is None else Received(event, envelope.id, envelope.time, envelope.trace)
