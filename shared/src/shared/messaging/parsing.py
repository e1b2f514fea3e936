"""Turns Kafka records into facts: CloudEvents headers, then the body by the contract of its topic.

A shop's own topic says which shop a record is from, whatever the record says.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from opentelemetry.trace import SpanKind

from shared.contracts.base import Event
from shared.contracts.storefront import OrderSubmitted, shop_of
from shared.messaging.cloudevents import (
    Envelope,
    UnreadableError,
    read_body,
    read_envelope,
    read_headers,
)
from shared.messaging.record_batches import Fetched, UnreadableRecord
from shared.telemetry.logging import get_logger
from shared.telemetry.metrics import Metrics
from shared.telemetry.tracing import Span, Tracing

log = get_logger(__name__)
E_co = TypeVar("E_co", bound=Event, covariant=True)


@dataclass(slots=True)
class Received(Generic[E_co]):
    """A fact as it arrived. Work that follows from it continues `trace` (a W3C traceparent).

    Not frozen: one is made for each record.
    """

    event: E_co
    id: UUID
    time: datetime
    trace: str | None


@dataclass(slots=True, frozen=True)
class Tombstone:
    """The end of a key on a compacted topic: nothing about the key may be kept."""

    topic: str
    key: str
    id: UUID
    trace: str | None


@dataclass(slots=True)
class ParsedRecord:
    """A record that can be applied. `topic` is without the prefix; (`source`, `id`) is the event's identity.

    `outside`: the writer is not one of our services (see inbox.py).
    """

    record: Fetched
    topic: str
    id: UUID
    source: str
    outside: bool
    fact: Received[Any] | Tombstone
    span: Span


class RecordParser:
    """Parses the records of one consumer. `topics` and `tombstone_topics` are those that it has handlers for."""

    def __init__(self, tracing: Tracing, metrics: Metrics, *, prefix: str, group: str) -> None:
        self.topics: set[str] = set()
        self.tombstone_topics: set[str] = set()
        #: Whether shops submit orders to this consumer, and the one shop that may still use the topic of all shops.
        self.reads_shops = False
        self.shared_shop: str | None = None
        self._tracing = tracing
        self._metrics = metrics
        self._prefix = prefix
        self._attributes = {
            "messaging.system": "kafka",
            "messaging.operation.type": "process",
            "messaging.operation.name": "process",
            "messaging.consumer.group.name": prefix + group,
            "messaging.client.id": group,
        }

    def topic_of(self, record: Fetched) -> str:
        """The record's topic without the prefix."""
        return str(record.topic).removeprefix(self._prefix)

    def parse(self, record: Fetched) -> ParsedRecord:
        """Parse a record and start its span. Raises UnreadableError."""
        topic = self.topic_of(record)
        envelope, event = self._read(record, topic)
        span = self._span(record, topic, envelope)
        fact: Received[Any] | Tombstone
        if event is None:
            fact = Tombstone(topic, key_of(record) or "", envelope.id, span.traceparent)
        else:
            fact = Received(event, envelope.id, envelope.time, span.traceparent)
        return ParsedRecord(record, topic, envelope.id, envelope.source, envelope.outside, fact, span)

    def read(self, record: Fetched) -> tuple[Envelope, Event | None]:
        """The envelope and the event; no event for a tombstone. Raises UnreadableError."""
        return self._read(record, self.topic_of(record))

    def _read(self, record: Fetched, topic: str) -> tuple[Envelope, Event | None]:
        if isinstance(record, UnreadableRecord):
            raise UnreadableError(record.reason, record.detail)
        envelope = read_envelope(read_headers(record.headers), topic, record.timestamp)
        if record.value is None and topic in self.tombstone_topics:
            return envelope, None
        event = read_body(topic, envelope.type, record.value or b"")
        if topic not in self.topics:
            raise UnreadableError("not_read", f"this release does not read {topic!r}")
        return envelope, self._from_its_shop(topic, event)

    def _from_its_shop(self, topic: str, event: Event) -> Event:
        """Let the topic decide whose submission it is. Raises UnreadableError where it belongs to no shop."""
        if not isinstance(event, OrderSubmitted):
            return event
        shop = shop_of(topic)
        if shop is None:
            if self.reads_shops and event.storefront != self.shared_shop:
                raise UnreadableError(
                    "shared_topic_closed",
                    "submit on the shop's own topic, storefront.<shop>.orders: this one does not identify a shop",
                )
            log.warning("shared_topic_used", storefront=event.storefront)
        elif event.storefront != shop:
            self._metrics.refused.labels(shop, "named_another_shop").inc()
            return event.model_copy(update={"storefront": shop})
        return event

    def _span(self, record: Fetched, topic: str, envelope: Envelope) -> Span:
        if not self._tracing.records(envelope.trace):
            return self._tracing.start(topic, envelope.trace)
        attributes: dict[str, str | int] = {
            **self._attributes,
            "messaging.destination.name": topic,
            "messaging.destination.partition.id": str(record.partition),
            "messaging.kafka.offset": record.offset,
            "messaging.message.id": str(envelope.id),
        }
        if record.value is None:
            attributes["messaging.kafka.message.tombstone"] = True
        return self._tracing.start(f"process {topic}", envelope.trace, SpanKind.CONSUMER, attributes)


def key_of(record: Fetched) -> str | None:
    """The record's key as text; bytes that are not UTF-8 are replaced."""
    return None if record.key is None else bytes(record.key).decode("utf-8", "replace").replace("\x00", "")
