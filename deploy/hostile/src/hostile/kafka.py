"""Writing to topics: records as clients make them, and batches as bytes."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from confluent_kafka import KafkaException, Producer

from hostile.findings import Findings
from hostile.target import Target
from shared.testing.record_batches import RawBatch, produce_raw

_FLUSH_SECONDS = 10
_Headers = list[tuple[str, Any]]


@dataclass
class Writing:
    """One producer for each user."""

    target: Target
    findings: Findings
    _producers: dict[str, Producer] = field(default_factory=dict)

    async def record(
        self, attack: str, user: str, topic: str, key: bytes | None, value: bytes | None, headers: _Headers
    ) -> None:
        """Write one record, and count the broker's answer."""
        self.findings.answered(attack, await asyncio.to_thread(self._produce, user, topic, key, value, headers))

    async def batch(self, attack: str, user: str, topic: str, partition: int, batch: RawBatch) -> None:
        """Write a batch as it is. The broker's own checks decide whether it is taken."""
        place = TopicPartition(self.target.prefix + topic, partition)
        try:
            code = await produce_raw(self.target.access_as(user), place, batch.encode())
        except (KafkaError, OSError, TimeoutError) as error:
            self.findings.answered(attack, type(error).__name__)
            return
        self.findings.answered(attack, "taken" if code == 0 else f"error {code} of the broker")

    def _produce(self, user: str, topic: str, key: bytes | None, value: bytes | None, headers: _Headers) -> str:
        producer = self._producers.get(user)
        if producer is None:
            login = self.target.access_as(user).librdkafka()
            more = {"linger.ms": 0, "log_level": 2, "message.timeout.ms": 8000, "message.max.bytes": 4_000_000}
            producer = self._producers[user] = Producer({**login, **more})
        outcome: list[str] = []

        def ended(error: object, _message: object) -> None:
            outcome.append("taken" if error is None else str(error))

        try:
            producer.produce(self.target.prefix + topic, value, key, headers=headers, on_delivery=ended)
        except (KafkaException, TypeError, ValueError) as error:
            return type(error).__name__
        producer.flush(_FLUSH_SECONDS)
        return outcome[0] if outcome else "not acknowledged"
