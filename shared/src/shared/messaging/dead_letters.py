"""Dead letters: records that cannot be applied, stored with the reason in the transaction of the good ones around them.

On topics that our own services write, many dead letters at once mean a fault of ours: consuming stops. On a shop's
topic they are the shop's fault: what exceeds its limit is stored as one range of offsets, and consuming goes on.

Records that may hold personal data are sealed to the service itself: a listing shows nothing of them, and a redrive can
still open them.
"""

import time
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from shared.contracts.storefront import contract
from shared.core_tables import dead_letters
from shared.database import Tx, storable
from shared.ids import uuid7
from shared.sealed import Sealer

_SAFE_HEADERS = frozenset(
    {"ce_specversion", "ce_id", "ce_source", "ce_type", "ce_dataschema", "ce_time", "content-type", "traceparent"}
)
_MAX_HEADER = 200


@dataclass(slots=True)
class DeadLetter:
    """A record, its place, and why it could not be applied. `topic` is without the prefix."""

    topic: str
    partition: int
    offset: int
    key: str | None
    headers: dict[str, str]
    payload: bytes | None
    reason: str
    detail: str


class TooManyDeadLettersError(Exception):
    """So many records failed that the fault is likely ours (a bad deploy): consuming stops and nothing is skipped."""


_MINUTE_SECONDS = 60.0


class Limit:
    """At most `most` dead letters within a minute; above that the consumer stops."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._seen: deque[float] = deque()

    def room(self) -> int:
        """How many more fit the limit now."""
        now = time.monotonic()
        while self._seen and self._seen[0] < now - _MINUTE_SECONDS:
            self._seen.popleft()
        return max(0, self.most - len(self._seen))

    def check(self, count: int) -> None:
        """Raises TooManyDeadLettersError when `count` more would pass the limit."""
        if count > self.room():
            raise TooManyDeadLettersError(
                f"{len(self._seen) + count} records failed within {_MINUTE_SECONDS:.0f} s, limit {self.most}"
            )

    def count(self, count: int) -> None:
        """Count dead letters that were committed."""
        self._seen.extend([time.monotonic()] * count)


class ShopLimits:
    """How many dead letters of each shop are stored one by one: `most` within a minute."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._limits: dict[str, Limit] = {}

    def fit(self, shop: str, failed_records: list[DeadLetter]) -> tuple[list[DeadLetter], list[DeadLetter]]:
        """The dead letters to store one by one, and one per partition for the offsets of the rest."""
        limit = self._limits.setdefault(shop, Limit(self._most))
        room = limit.room()
        kept, rest = failed_records[:room], failed_records[room:]
        ranges: dict[tuple[str, int], list[DeadLetter]] = {}
        for dead_letter in rest:
            ranges.setdefault((dead_letter.topic, dead_letter.partition), []).append(dead_letter)
        return kept, [_range(group, self._most) for group in ranges.values()]

    def count(self, shop: str, count: int) -> None:
        """Count what was stored and committed."""
        self._limits.setdefault(shop, Limit(self._most)).count(count)


def _range(failed_records: list[DeadLetter], most: int) -> DeadLetter:
    first, last = failed_records[0], failed_records[-1]
    reasons = ", ".join(sorted({dead_letter.reason for dead_letter in failed_records}))
    offsets = f"offsets {first.offset} to {last.offset}"
    detail = f"{len(failed_records)} records, {offsets} ({reasons}); stored one by one: {most} a minute"
    return DeadLetter(first.topic, first.partition, first.offset, None, {}, None, "too_many", detail)


async def store(tx: Tx, failed_records: list[DeadLetter], sealer: Sealer) -> None:
    """Store dead letters. A record that is read again is stored once."""
    await tx.insert(dead_letters, [_row(dead_letter, sealer, tx.now) for dead_letter in failed_records])


async def delete(tx: Tx, topic: str, keys: list[str]) -> None:
    """Delete the dead letters of these keys, sealed or not: an erasure reaches them too (PP 6.2)."""
    await tx.execute(
        "DELETE FROM dead_letters WHERE topic = :topic AND key = ANY(CAST(:keys AS text[]))", topic=topic, keys=keys
    )


def _row(dead_letter: DeadLetter, sealer: Sealer, now: datetime) -> dict[str, Any]:
    event_class = contract(dead_letter.topic)
    secret = event_class is None or event_class.personal
    payload = dead_letter.payload
    if secret and payload is not None:
        payload = sealer.seal(payload).box.encode()
    identity: UUID = uuid7()
    return {
        "id": identity,
        "topic": dead_letter.topic,
        "partition": dead_letter.partition,
        "record_offset": dead_letter.offset,
        "key": None if dead_letter.key is None else storable(dead_letter.key),
        "reason": dead_letter.reason,
        "detail": storable(dead_letter.detail),
        "headers": {k: storable(v[:_MAX_HEADER]) for k, v in dead_letter.headers.items() if k in _SAFE_HEADERS},
        "payload": payload,
        "sealed": int(secret),
        "received_at": now,
    }
