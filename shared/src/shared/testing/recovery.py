"""For tests of recoveries: a service whose database is put back to the moment before its first event."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from confluent_kafka import OFFSET_END, TopicPartition
from confluent_kafka.admin import AdminClient

from shared.contracts.base import Event
from shared.kernel.service import Service
from shared.messaging.access import KafkaAccess
from shared.recovery.run import recover
from shared.testing.stage import Stage


async def put_back(
    stage: Stage, service: Service, build: Callable[[Any], Service], *unpublished: type[Event]
) -> tuple[str, list[str]]:
    """Stop a service and recover it with an empty database; returns the database's URL, and what was said.

    Events of the kinds `unpublished` are removed first, as if their transactions had never been published.
    """
    await stage.stop(service)
    for event_class in unpublished:
        await remove_records(stage, event_class)
    url = await stage.database(service.name)
    return url, await recover_again(service, build, url)


async def recover_again(service: Service, build: Callable[[Any], Service], url: str) -> list[str]:
    """Recover a service that is stopped on this database; returns what was said."""
    lines: list[str] = []
    settings = service.settings.model_copy(update={"database_url": url})
    await recover(build(settings), service.clock.now() - timedelta(hours=1), lines.append)
    return lines


async def remove_records(stage: Stage, event_class: type[Event]) -> None:
    """Remove all events of this kind from their topic, as its retention would."""
    await asyncio.to_thread(_remove_records, stage.kafka, stage.prefix + event_class.topic)


def _remove_records(kafka: KafkaAccess, topic: str) -> None:
    admin = AdminClient(kafka.librdkafka())
    partitions = admin.list_topics(topic, timeout=20).topics[topic].partitions
    ends = [TopicPartition(topic, number, OFFSET_END) for number in partitions]
    for future in admin.delete_records(ends).values():
        future.result(20)
