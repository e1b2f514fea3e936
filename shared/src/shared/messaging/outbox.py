"""Publishes every committed event to Kafka (invariant I6), usually right after its commit.

An event is first a row. After the commit this process publishes it from memory, and the next transaction deletes the
row. The relay (relay.py) publishes what a crash leaves behind. So an event may be published twice, and is published at
least once; consumers remember what they applied.
"""

import asyncio
from collections import deque
from functools import partial
from typing import Any
from uuid import UUID

from opentelemetry.trace import SpanKind

from shared.database import Database, Outgoing, Tx, is_infrastructure
from shared.failpoints import failpoint
from shared.messaging.cloudevents import headers_of
from shared.messaging.producer import Producer
from shared.supervision import Loop, Supervisor
from shared.telemetry.logging import get_logger
from shared.telemetry.metrics import Metrics
from shared.telemetry.tracing import Span, Tracing

log = get_logger(__name__)
_FLUSH_SECONDS = 0.2
#: More than this in memory means that Kafka is unavailable: the relay publishes the rest.
_MEMORY_LIMIT = 20_000
_TOGETHER = 500


_INSERT = """
INSERT INTO outbox (id, topic, key, value, headers, born_at)
SELECT id, topic, key, value, headers, :now
FROM unnest(CAST(:ids AS uuid[]), CAST(:topics AS text[]), CAST(:keys AS text[]), CAST(:values AS bytea[]),
            CAST(:headers AS jsonb[])) AS n(id, topic, key, value, headers)
"""


class _Ready:
    """An event whose row is about to be committed."""

    __slots__ = ("headers", "headers_json", "id", "key", "key_text", "span", "topic", "value")

    def __init__(self, outgoing: Outgoing, span: Span, now: str) -> None:
        self.id = outgoing.id
        self.topic = outgoing.event.topic
        self.key_text = outgoing.event.key()
        self.key = self.key_text.encode()
        self.value = outgoing.body
        self.headers, self.headers_json = headers_of(outgoing, now)
        self.span = span


class Outbox:
    """Takes part in every transaction (see database.Participant) and publishes after its commit."""

    def __init__(
        self,
        database: Database,
        producer: Producer,
        tracing: Tracing,
        metrics: Metrics,
        supervisor: Supervisor | None = None,
    ) -> None:
        self._supervisor = supervisor or Supervisor(metrics)
        self._database = database
        self._producer = producer
        self._tracing = tracing
        self._metrics = metrics
        self._pending: deque[_Ready] = deque()
        self._acknowledged: list[UUID] = []
        self._wake = asyncio.Event()

    async def before_commit(self, tx: Tx) -> None:
        """Delete rows acknowledged since the last transaction and insert the events of this one."""
        gone, self._acknowledged = self._acknowledged, []
        tx.carried["outbox.gone"] = gone
        if gone:
            await tx.execute("DELETE FROM outbox WHERE id = ANY(CAST(:ids AS uuid[]))", ids=gone)
        if not tx.outgoing:
            return
        ready, now = [], tx.now.isoformat()
        for outgoing in tx.outgoing:
            span = self._span(outgoing)
            outgoing.trace = span.traceparent
            ready.append(_Ready(outgoing, span, now))
        await tx.execute(
            _INSERT,
            ids=[event.id for event in ready],
            topics=[event.topic for event in ready],
            keys=[event.key_text for event in ready],
            values=[event.value for event in ready],
            headers=[event.headers_json for event in ready],
            now=tx.now,
        )
        tx.carried["outbox.ready"] = ready

    def _span(self, outgoing: Outgoing) -> Span:
        topic = outgoing.event.topic
        if not self._tracing.records(outgoing.trace):
            return self._tracing.start(topic, outgoing.trace)
        attributes = {
            "messaging.system": "kafka",
            "messaging.operation.type": "send",
            "messaging.operation.name": "send",
            "messaging.destination.name": topic,
            "messaging.client.id": outgoing.event.owner(),
            "messaging.message.id": str(outgoing.id),
        }
        return self._tracing.start(f"send {topic}", outgoing.trace, SpanKind.PRODUCER, attributes)

    def after_commit(self, tx: Tx) -> None:
        """Publish what was just committed."""
        ready = tx.carried.get("outbox.ready")
        if ready and len(self._pending) < _MEMORY_LIMIT:
            self._pending.extend(ready)
            self._wake.set()

    def after_rollback(self, tx: Tx) -> None:
        """The acknowledged rows were not deleted: delete them with the next transaction."""
        self._acknowledged.extend(tx.carried.get("outbox.gone", ()))

    async def run(self) -> None:
        """Publish until cancelled."""
        loop = self._supervisor.loop("outbox.publish")
        flusher = self._supervisor.start("outbox.flush", self._flush_when_idle(self._supervisor.loop("outbox.flush")))
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                with loop.step():
                    await self._publish_pending()
        finally:
            flusher.cancel()
            await asyncio.gather(flusher, return_exceptions=True)

    async def drain(self) -> None:
        """Publish what is in memory and delete what was acknowledged; the last step of a graceful stop."""
        await self._publish_pending()
        await self._producer.stop()
        if self._acknowledged:
            async with self._database.transaction("outbox"):
                pass  # every transaction deletes what was acknowledged

    async def _publish_pending(self) -> None:
        while self._pending:
            failpoint("outbox.before_send")
            ready = [self._pending.popleft() for _ in range(min(_TOGETHER, len(self._pending)))]
            try:
                sent = await self._producer.send_all(ready)
            except Exception as error:  # noqa: BLE001 - Kafka is unavailable, or one record cannot be sent
                # The rows stay; the relay publishes them when Kafka is back.
                log.warning("publish_failed", error=error, left_to_relay=len(self._pending) + len(ready))
                for event in ready:
                    event.span.end(error)
                self._pending.clear()
                return
            for future, part in sent:
                future.add_done_callback(partial(self._settled, part))

    def _settled(self, ready: list[_Ready], future: "asyncio.Future[Any]") -> None:
        error = None if future.cancelled() else future.exception()
        if future.cancelled() or error is not None:
            for event in ready:
                event.span.end(error or "cancelled")
            if error is not None:
                log.warning("publish_failed", error=error, topic=ready[0].topic, left_to_relay=len(ready))
                asyncio.get_running_loop().create_task(self._producer.failed(error))
            return
        failpoint("outbox.after_send")
        place = future.result()
        for index, event in enumerate(ready):
            event.span.placed(place.partition, place.offset + index)
            event.span.end()
        self._metrics.published.inc(len(ready))
        self._acknowledged.extend(event.id for event in ready)

    async def _flush_when_idle(self, loop: Loop) -> None:
        """Delete acknowledged rows when no other transaction does."""
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            if not self._acknowledged:
                continue
            loop.begin()
            try:
                async with self._database.transaction("outbox"):
                    pass  # every transaction deletes what was acknowledged
                loop.succeed()
            except Exception as error:  # noqa: BLE001 - the rows stay acknowledged and are tried again
                log.log(30 if is_infrastructure(error) else 40, "outbox_flush_failed", error=error)
