"""Creating the topics that a service owns. Brokers have auto-creation switched off."""

from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined] # not in its __all__

from shared.contracts.base import EVENTS

_ALREADY_EXISTS = "TOPIC_ALREADY_EXISTS"
_COMPACTED = {
    # An erased buyer must leave the log within a day (PP 6.2): small segments, short lags.
    "cleanup.policy": "compact",
    "max.compaction.lag.ms": "3600000",
    "segment.ms": "3600000",
    "delete.retention.ms": "43200000",
    "min.cleanable.dirty.ratio": "0.01",
}
_DAY_MS = 24 * 3600 * 1000
_KEPT = {"cleanup.policy": "delete", "retention.ms": str(7 * _DAY_MS)}
#: Orders as submitted hold personal data, have no tombstones, and are of no use once they are answered.
_SHORT = {"cleanup.policy": "delete", "retention.ms": str(_DAY_MS), "segment.ms": "3600000"}
_COMPACTED_TOPICS = frozenset({"ordering.buyer-contact"})


def create_topics(
    bootstrap_servers: str, topics: list[str], *, prefix: str = "", partitions: int = 6, replication: int = 1
) -> None:
    """Create those topics that do not exist yet. Raises KafkaException."""
    admin = AdminClient({"bootstrap.servers": bootstrap_servers})
    wanted = [
        NewTopic(
            prefix + topic,
            num_partitions=partitions,
            replication_factor=replication,
            config=_configuration(topic),
        )
        for topic in topics
    ]
    for future in admin.create_topics(wanted, operation_timeout=30).values():
        try:
            future.result()
        except Exception as error:
            if _ALREADY_EXISTS not in str(error):
                raise


def _configuration(topic: str) -> dict[str, str]:
    if topic in _COMPACTED_TOPICS:
        return _COMPACTED
    return _SHORT if topic.startswith("storefront.") else _KEPT


def owned_topics(service: str) -> list[str]:
    """The topics that a service writes; ordering also looks after the one that storefronts submit to."""
    owners = {service, "storefront"} if service == "ordering" else {service}
    return [topic for topic, event in EVENTS.items() if event.owner() in owners]
