"""How far a consumer group has read: one service with all its instances."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared.messaging.access import KafkaAccess
from shared.messaging.fetching import read_metadata
from shared.telemetry.logging import get_logger

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """Offsets of one partition: of its oldest record, after its newest one, and after the last one applied."""

    begin: int
    end: int
    applied: int

    def applied_until(self, end: int) -> bool:
        """Whether everything before this offset has been applied; true for an empty partition."""
        return self.end <= self.begin or self.applied >= end


class GroupReading:
    """Compares the group's committed offsets with the ends of its topics."""

    def __init__(self, kafka: KafkaAccess, group: str, topics: Sequence[str]) -> None:
        self._kafka = kafka
        self._group = group
        self._topics = topics

    async def places(self) -> Mapping[TopicPartition, Place] | None:
        """Every partition of every topic; None where the brokers are unavailable."""
        access = self._kafka.aiokafka()
        consumer = AIOKafkaConsumer(**access, group_id=None)
        admin = AIOKafkaAdminClient(**access)
        try:
            await consumer.start()
            await admin.start()
            topics = await admin.describe_topics(list(self._topics))
            places = [
                TopicPartition(topic["topic"], partition["partition"])
                for topic in topics
                for partition in topic["partitions"]
            ]
            await read_metadata(consumer, self._topics)
            begin, end = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
            read = await admin.list_consumer_group_offsets(self._group, partitions=places)
        except (KafkaError, OSError) as error:
            log.warning("group_offsets_unavailable", error=error)
            return None
        finally:
            # In tasks of their own: a cancellation here would leave one of them open, or be lost in aiokafka's `stop`.
            await asyncio.shield(asyncio.gather(consumer.stop(), admin.close()))
        if not read.keys() >= set(places):
            # aiokafka overlooks an error of the whole answer: the group's coordinator is still loading, or has moved.
            log.warning("group_offsets_unavailable", partitions=len(places))
            return None
        return {place: Place(begin[place], end[place], read[place].offset) for place in places}

    async def caught_up(self) -> bool:
        """Whether every record that is on the topics now was applied; False also where the brokers are unavailable."""
        places = await self.places()
        return places is not None and all(place.applied_until(place.end) for place in places.values())
