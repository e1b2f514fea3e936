"""Creates the topics that a service owns. The brokers' auto-creation is switched off.

Personal data must leave the log within 24 hours of an erasure (PP 6.2). The steps, counted from the erasure:

`ordering.buyer-contact` (compacted). A broker compacts closed segments only, and closes one only when something is
appended to it. In the worst case the contact is in a segment that was opened with it at that moment. Ordering repeats
the tombstone after 65 min, which is later than `segment.ms`: the segment closes, however quiet the partition is.
Its records are older than `max.compaction.lag.ms` by then, so the cleaner takes it in its next round (15 s,
`log.cleaner.backoff.ms`) and the files go a minute later (`file.delete.delay.ms`): about 1 h 10 min. The tombstones
themselves hold the buyer's id only; they stay for 12 h, for readers that were down, and a reader that was down longer
still gets the erasure as a fact (`ordering.buyer-erasure-requested`, a week).

`storefront.<shop>.orders` and `storefront.order-submitted` (deleted by age). A segment goes when its newest record is
older than `retention.ms`, and its oldest one is at most `segment.ms` older than that: 21 h + 1 h, and 5 min
(`log.retention.check.interval.ms`) and a minute for the files: 22 h 06 min, whatever a shop's clock says, because the
broker's own time counts.
"""

import time
from collections.abc import Iterable, Mapping

from confluent_kafka.admin import (  # type: ignore[attr-defined] # not in its __all__
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
)

from shared.contracts.base import EVENTS
from shared.contracts.storefront import OrderSubmitted, orders_topic, shop_of, updates_topic
from shared.messaging.access import KafkaAccess

_ALREADY_EXISTS = "TOPIC_ALREADY_EXISTS"
#: Part of the broker's message; its code is that of a wrong number of replicas. It lasts until a heartbeat arrives.
_FENCED = "All brokers are currently fenced"
_PATIENCE_SECONDS, _PAUSE_SECONDS = 30.0, 0.5
#: From so many replicas on one may be lost without a loss, and writes go on meanwhile.
_ENOUGH_REPLICAS = 3
_COMPACTED = {
    "cleanup.policy": "compact",
    "max.compaction.lag.ms": "3600000",
    "segment.ms": "3600000",
    "delete.retention.ms": "43200000",
    "min.cleanable.dirty.ratio": "0.01",
}
_DAY_MS = 24 * 3600 * 1000
_KEPT = {"cleanup.policy": "delete", "retention.ms": str(7 * _DAY_MS)}
#: Submitted orders hold personal data, have no tombstones, and are not needed after they were answered.
_SHORT = {
    "cleanup.policy": "delete",
    "retention.ms": "75600000",
    "segment.ms": "3600000",
    "message.timestamp.type": "LogAppendTime",
}
#: `ordering.api-key` holds no personal data: its newest states stay for services that begin to read it.
_COMPACTED_TOPICS = frozenset({"ordering.buyer-contact", "ordering.api-key"})


def create_topics(
    kafka: KafkaAccess, topics: list[str], *, prefix: str = "", partitions: int = 6, replication: int = 1
) -> None:
    """Create the topics that do not exist yet, and renew the settings about personal data on those that do.

    With three replicas or more a write is acknowledged when all but one have it, whatever the brokers' default is.
    Raises KafkaException.
    """
    if not topics:
        return
    admin = AdminClient(kafka.librdkafka())
    in_sync = {"min.insync.replicas": str(replication - 1)} if replication >= _ENOUGH_REPLICAS else {}
    wanted = [
        NewTopic(
            prefix + topic,
            num_partitions=partitions,
            replication_factor=replication,
            config={**topic_settings(topic), **in_sync},
        )
        for topic in topics
    ]
    existing = _create(admin, wanted)
    settings = {name: topic_settings(name.removeprefix(prefix)) for name in existing}
    _renew(admin, {name: {**own, **in_sync} for name, own in settings.items() if in_sync or own is not _KEPT})


def _create(admin: AdminClient, wanted: list[NewTopic]) -> list[str]:
    """Create topics; returns those that existed. Waits for a broker that is fenced (just started, or slow)."""
    existing: list[str] = []
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while wanted:
        fenced = []
        for name, future in admin.create_topics(wanted, operation_timeout=30).items():
            try:
                future.result()
            except Exception as error:
                if _ALREADY_EXISTS in str(error):
                    existing.append(name)
                elif _FENCED in str(error) and time.monotonic() < deadline:
                    fenced.append(name)
                else:
                    raise
        wanted = [topic for topic in wanted if topic.topic in fenced]
        time.sleep(_PAUSE_SECONDS if wanted else 0)
    return existing


def _renew(admin: AdminClient, settings: Mapping[str, Mapping[str, str]]) -> None:
    """Set the present settings: an earlier version may have created the topics with others."""
    changes = [
        ConfigResource(
            ConfigResource.Type.TOPIC,
            name,
            incremental_configs=[
                ConfigEntry(setting, value, incremental_operation=AlterConfigOpType.SET)
                for setting, value in own.items()
            ],
        )
        for name, own in settings.items()
    ]
    if changes:
        for future in admin.incremental_alter_configs(changes).values():
            future.result()


def topic_settings(topic: str) -> dict[str, str]:
    """A topic's settings, besides partitions and replicas."""
    if topic in _COMPACTED_TOPICS:
        return _COMPACTED
    return _SHORT if topic == OrderSubmitted.topic or shop_of(topic) is not None else _KEPT


def owned_topics(service: str, shops: Iterable[str] = ()) -> list[str]:
    """The topics that a service writes; ordering also owns those of the shops, on which they submit and hear."""
    owners = {service, "storefront"} if service == "ordering" else {service}
    topics = [topic for topic, event in EVENTS.items() if event.owner() in owners]
    if service != "ordering":
        return topics
    return [*topics, *(topic_of(shop) for shop in shops for topic_of in (orders_topic, updates_topic))]
