"""Sets of topics that tests use one after the other: creating and removing topics was most of the broker's work.

A set is handed on empty: its records are deleted up to the end, its consumer groups are gone. The next test finds what
a new topic would show it, except that offsets do not begin at 0 (`@pytest.mark.new_topics` gives new ones).
"""

import secrets
from collections import deque
from dataclasses import dataclass, field

from confluent_kafka import OFFSET_END, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from shared.messaging.access import KafkaAccess
from shared.messaging.topics import create_topics, topic_settings

PARTITIONS = 2
_SECONDS = 30
_NO_LEADER = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001 - the name that the library publishes for its own errors
)


@dataclass(slots=True)
class TopicSet:
    """`topics` exist, each with `prefix` before its name."""

    prefix: str = field(default_factory=lambda: f"t{secrets.token_hex(5)}.")
    topics: set[str] = field(default_factory=set)

    def create(self, kafka: KafkaAccess, topics: set[str]) -> None:
        """Create those that do not exist yet. Raises KafkaException."""
        create_topics(kafka, sorted(topics - self.topics), prefix=self.prefix, partitions=PARTITIONS)
        self.topics |= topics


#: Empty sets for later tests.
free: deque[TopicSet] = deque()


def take() -> TopicSet:
    """A set that no other test uses now."""
    try:
        return free.popleft()
    except IndexError:
        return TopicSet()


def give_back(kafka: KafkaAccess, used: TopicSet) -> None:
    """Empty the set for the next test; remove it where that cannot be done now. Raises KafkaException."""
    admin = AdminClient(kafka.librdkafka())
    # Brokers delete records only on topics with the policy `delete`: compacted topics are created again.
    compacted = {topic for topic in used.topics if topic_settings(topic)["cleanup.policy"] == "compact"}
    if _without_groups(admin, used.prefix) and _without_records(admin, used, used.topics - compacted):
        _remove(admin, used, compacted)
        used.topics -= compacted
        free.append(used)
    else:
        _remove(admin, used, used.topics)


def remove(kafka: KafkaAccess, used: TopicSet) -> None:
    """Remove the set: the broker keeps files open for every topic. Raises KafkaException."""
    _remove(AdminClient(kafka.librdkafka()), used, used.topics)


def _without_groups(admin: AdminClient, prefix: str) -> bool:
    """Delete the consumer groups with this prefix; returns whether all of them are gone."""
    listed = admin.list_consumer_groups().result(_SECONDS)
    groups = [group.group_id for group in listed.valid if group.group_id.startswith(prefix)]
    for deleted in (admin.delete_consumer_groups(groups) if groups else {}).values():
        try:
            deleted.result(_SECONDS)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.NON_EMPTY_GROUP:
                return False
            if error.args[0].code() != KafkaError.GROUP_ID_NOT_FOUND:
                raise
    return True


def _without_records(admin: AdminClient, used: TopicSet, topics: set[str]) -> bool:
    """Delete all records; returns whether that was done. A topic that was just made may have no leader yet."""
    ends = [TopicPartition(used.prefix + topic, number, OFFSET_END) for topic in topics for number in range(PARTITIONS)]
    try:
        for deleted in (admin.delete_records(ends) if ends else {}).values():
            deleted.result(_SECONDS)
    except KafkaException as error:
        if error.args[0].code() not in _NO_LEADER:
            raise
        return False
    return True


def _remove(admin: AdminClient, used: TopicSet, topics: set[str]) -> None:
    # Wait for the result: a client that ends sends nothing more.
    for removed in (admin.delete_topics([used.prefix + topic for topic in topics]) if topics else {}).values():
        removed.result(_SECONDS)
