"""Publishes events that were committed and not published: those that a crash or an unavailable broker left behind.

One relay per service is active at a time (an advisory lock held on its own connection). It reads rows that are older
than the time in which a running process publishes them itself, from a lower bound upwards, so that the dead tuples of
a busy table are not scanned again and again; once a minute it reads from the beginning.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from aiokafka.errors import MessageSizeTooLargeError, RecordListTooLargeError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.database import Database
from shared.failpoints import failpoint
from shared.ids import uuid7_floor
from shared.messaging.cloudevents import Headers, to_wire
from shared.messaging.producer import Producer
from shared.supervision import Loop
from shared.telemetry.logging import get_logger
from shared.telemetry.metrics import Metrics

log = get_logger(__name__)
_POLL_SECONDS = 1.0
_BATCH = 500
#: A running process publishes within this time. A row that is ahead of the clock by more than a minute was written
#: while a clock was wrong; it must not wait until that time comes.
_GRACE_SECONDS = 2
#: No transaction is open longer (statement and idle timeouts of 20 s), clocks differ by less than the rest.
_WATERMARK_LAG = timedelta(seconds=90)
_FULL_SWEEP_SECONDS = 60
_LOCK = "SELECT pg_try_advisory_lock(hashtext('esim.outbox.relay'))"
_TAKE = text("""
WITH due AS (
  SELECT id FROM outbox
  WHERE id >= :watermark
    AND (born_at < clock_timestamp() - make_interval(secs => :grace) OR born_at > clock_timestamp() + interval '1 min')
    AND id <> ALL(CAST(:unsendable AS uuid[]))
  ORDER BY id LIMIT :batch FOR UPDATE SKIP LOCKED)
DELETE FROM outbox o USING due WHERE o.id = due.id
RETURNING o.id, o.topic, o.key, o.value, o.headers
""")
_BEGINNING = UUID(int=0)
#: Errors of the broker, or of our own producer, for a record that will never be accepted.
_UNSENDABLE = (MessageSizeTooLargeError, RecordListTooLargeError)


@dataclass(frozen=True, slots=True)
class _Leftover:
    topic: str
    key: bytes
    value: bytes | None
    headers: Headers


class Relay:
    """Publishes what was left in the outbox."""

    def __init__(self, database: Database, producer: Producer, metrics: Metrics, loop: Loop | None = None) -> None:
        self._loop = loop or Loop("relay")
        self._database = database
        self._producer = producer
        self._metrics = metrics
        self._watermark = _BEGINNING
        self._swept = time.monotonic()
        #: Rows that no broker accepts. They stay in the outbox, where their age raises an alarm, and delay no other.
        self._unsendable: list[UUID] = []
        self._batch = _BATCH

    async def run(self) -> None:
        """Relay until cancelled; after a lost database or broker it continues after a pause."""
        while True:
            self._loop.begin()
            try:
                async with self._database.engine.connect() as connection:
                    try:
                        if await self._acquire(connection):
                            await self._relay(connection)
                        self._loop.succeed()  # another instance relays
                    finally:
                        # The lock is held as long as its connection is open: it must not return to the pool.
                        await connection.invalidate()
            except _UNSENDABLE:
                continue
            except Exception as error:  # noqa: BLE001 - nothing is lost: the rows stay
                log.warning("relay_interrupted", error=error)
            await asyncio.sleep(2)

    async def _acquire(self, connection: AsyncConnection) -> bool:
        held = bool((await connection.execute(text(_LOCK))).scalar())
        await connection.commit()
        return held

    async def _relay(self, connection: AsyncConnection) -> None:
        while True:
            self._loop.begin()
            moved = await self._move(connection)
            self._loop.succeed()
            if not moved:
                self._advance()
                self._batch = _BATCH
            if moved < self._batch:
                await asyncio.sleep(_POLL_SECONDS)

    async def _move(self, connection: AsyncConnection) -> int:
        """One batch: take, send, wait for the acknowledgements, commit the deletion."""
        async with connection.begin():
            parameters = {
                "watermark": self._watermark,
                "grace": _GRACE_SECONDS,
                "batch": self._batch,
                "unsendable": self._unsendable,
            }
            rows = (await connection.execute(_TAKE, parameters)).all()
            if not rows:
                return 0
            failpoint("relay.before_send")
            try:
                await self._send([_leftover(row) for row in rows])
            except _UNSENDABLE as error:
                self._find_unsendable([row.id for row in rows], error)
                raise
            failpoint("relay.after_send")
        self._metrics.relayed.inc(len(rows))
        log.info("outbox_leftovers_published", count=len(rows))
        return len(rows)

    async def _send(self, leftovers: list[_Leftover]) -> None:
        sent = await self._producer.send_all(leftovers)
        for failure in await asyncio.gather(*(future for future, _ in sent), return_exceptions=True):
            if isinstance(failure, BaseException):
                await self._producer.failed(failure)
                raise failure

    def _find_unsendable(self, ids: list[UUID], error: Exception) -> None:
        """One of these rows cannot be sent: send row by row until it is found, then leave it out."""
        if len(ids) > 1:
            self._batch = 1
            return
        log.error("outbox_row_unsendable", outbox=str(ids[0]), error=error)
        self._unsendable += ids

    def _advance(self) -> None:
        if time.monotonic() - self._swept > _FULL_SWEEP_SECONDS:
            self._swept = time.monotonic()
            self._watermark = _BEGINNING
        else:
            self._watermark = uuid7_floor(datetime.now(UTC) - _WATERMARK_LAG)


def _leftover(row: Any) -> _Leftover:
    value = None if row.value is None else bytes(row.value)
    return _Leftover(row.topic, row.key.encode(), value, to_wire(row.headers))
