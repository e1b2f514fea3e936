"""Whether this service, with all its instances, has read everything that was told until now."""

from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared.messaging.access import KafkaAccess
from shared.telemetry.logging import get_logger

log = get_logger(__name__)


class GroupReading:
    """Compares the group's committed offsets with the ends of its topics."""

    def __init__(self, kafka: KafkaAccess, group: str, topics: Sequence[str]) -> None:
        self._kafka = kafka
        self._group = group
        self._topics = topics

    async def caught_up(self) -> bool:
        """True where every record that is on the topics now has been applied; False also where nobody can say."""
        consumer = AIOKafkaConsumer(**self._kafka.aiokafka(), group_id=None)
        admin = AIOKafkaAdminClient(**self._kafka.aiokafka())
        try:
            await consumer.start()
            await admin.start()
            found = await admin.describe_topics(list(self._topics))
            places = [
                TopicPartition(topic["topic"], partition["partition"])
                for topic in found
                for partition in topic["partitions"]
            ]
            begin, end = await consumer.beginning_offsets(places), await consumer.end_offsets(places)
            read = await admin.list_consumer_group_offsets(self._group, partitions=places)
        except (KafkaError, OSError) as error:
            log.warning("reading_unknown", error=error)
            return False
        finally:
            await consumer.stop()
            await admin.close()
        return all(read[place].offset >= end[place] for place in places if end[place] > begin[place])
