"""Applies a dead letter again, the usual way: parsed, through the inbox, to the handler of its topic.

It is decided in the transaction that applies it, so it is applied once, even when the request is repeated or the
process dies meanwhile. A sealed payload is opened with the service's own key, in memory only.
"""

from typing import Any
from uuid import UUID

from aiokafka import ConsumerRecord

from shared.database import Database, Tx, is_infrastructure
from shared.messaging.cloudevents import UnreadableError, to_wire
from shared.messaging.consumer import Consumer
from shared.operations import dead_letters
from shared.sealed import CannotOpenError, Opener, Sealed
from shared.telemetry.logging import error_place, get_logger

log = get_logger(__name__)
NOT_WAITING = "it does not wait: somebody decided about it or has it in hand now, or its buyer was erased"


class Redriver:
    """Redrives dead letters of one service. `prefix` is that of its topics."""

    def __init__(self, database: Database, consumer: Consumer, opener: Opener, *, prefix: str) -> None:
        self._database = database
        self._consumer = consumer
        self._opener = opener
        self._prefix = prefix

    async def check(self, letter_id: UUID) -> str | None:
        """Why a redrive would fail, as far as can be checked without one; None where nothing speaks against it."""
        async with self._database.reading() as tx:
            dead_letter = await dead_letters.find(tx, letter_id)
        if dead_letter is None or dead_letter.state != "waiting":
            return NOT_WAITING
        try:
            self._consumer.check(self._record(dead_letter))
        except (UnreadableError, CannotOpenError) as error:
            return _reason(error)
        return None

    async def redrive(self, letter_id: UUID, who: str, why: str) -> str | None:
        """Apply a dead letter. None where it is decided now; otherwise the reason, and it goes on waiting.

        Raises infrastructure errors: nothing was changed then.
        """
        dead_letter = None
        try:
            async with self._database.transaction("redrive") as tx:
                dead_letter = await dead_letters.take(tx, letter_id)
                if dead_letter is None:
                    return NOT_WAITING
                return await self._try(tx, dead_letter, who, why)
        except Exception as error:
            if is_infrastructure(error) or dead_letter is None:
                raise
            # A statement that the handler left for the commit failed there, and everything was rolled back.
            log.warning("redrive_failed", topic=dead_letter.topic, dead_letter=str(letter_id), error=error)
            problem = _reason(error)
            async with self._database.transaction() as tx:
                await dead_letters.failed_again(tx, dead_letter, who, why, problem)
            return problem

    async def _try(self, tx: Tx, dead_letter: Any, who: str, why: str) -> str | None:
        remembered = dead_letter.reason == "handler_failed" and not await dead_letters.twin_redriven(tx, dead_letter)
        try:
            applied = await self._consumer.apply_again(tx, self._record(dead_letter), remembered=remembered)
        except Exception as error:
            if is_infrastructure(error):
                raise
            log.warning("redrive_failed", topic=dead_letter.topic, dead_letter=str(dead_letter.id), error=error)
            problem = _reason(error)
            await dead_letters.failed_again(tx, dead_letter, who, why, problem)
            return problem
        await dead_letters.redriven(tx, dead_letter, who, why, applied=applied)
        return None

    def _record(self, dead_letter: Any) -> ConsumerRecord:
        """The record as it was on its topic. Raises CannotOpenError."""
        value = None if dead_letter.payload is None else bytes(dead_letter.payload)
        if dead_letter.sealed and value is not None:
            value = self._opener.open(Sealed(recipient="", box=value.decode()))
        key = None if dead_letter.key is None else dead_letter.key.encode()
        return ConsumerRecord(
            topic=self._prefix + dead_letter.topic,
            partition=dead_letter.partition,
            offset=dead_letter.record_offset,
            timestamp=round(dead_letter.received_at.timestamp() * 1000),
            timestamp_type=0,
            key=key,
            value=value,
            checksum=None,
            serialized_key_size=len(key or b""),
            serialized_value_size=len(value or b""),
            headers=tuple(to_wire(dead_letter.headers)),
        )


def _reason(error: Exception) -> str:
    """Why it failed, without any value of the record."""
    if isinstance(error, UnreadableError):
        return f"still unreadable ({error.reason}): {error.detail}"
    if isinstance(error, CannotOpenError):
        return "its payload was sealed to a key that this service does not have (any more)"
    return f"its handler failed again: {error_place(error)}"
