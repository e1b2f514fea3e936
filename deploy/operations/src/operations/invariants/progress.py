"""Up to which time every published fact has been applied here.

The consumer of a busy product is never at the end of its topics, so its lag does not answer this. Instead the ends of
all topics are noted with the time. As soon as the group has applied everything before a note, the read model is
complete as of the note's time. While there is a backlog that time does not move, and no rule judges what is missing.
"""

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from aiokafka import TopicPartition

from shared.messaging.reading import Place

_MOST_NOTES = 120


class Reads(Protocol):
    """How far the group has read (shared.messaging.reading.GroupReading)."""

    async def places(self) -> Mapping[TopicPartition, Place] | None: ...


class Progress:
    """The notes of this process. After a start nothing is known until everything before the first note is applied."""

    def __init__(self, reading: Reads) -> None:
        self._reading = reading
        self._notes: deque[tuple[datetime, dict[TopicPartition, int]]] = deque()

    async def as_of(self, now: datetime) -> datetime | None:
        """The latest time up to which everything has been applied; None where that is not known (yet)."""
        places = await self._reading.places()
        if places is None:
            return None
        self._notes.append((now, {partition: place.end for partition, place in places.items()}))
        if len(self._notes) > _MOST_NOTES:
            del self._notes[_MOST_NOTES // 2]  # a long backlog: neither the oldest note nor the newest may go
        applied = [at for at, ends in self._notes if _applied(places, ends)]
        if not applied:
            return None
        while self._notes[0][0] < applied[-1]:
            self._notes.popleft()
        return applied[-1]


def _applied(places: Mapping[TopicPartition, Place], ends: Mapping[TopicPartition, int]) -> bool:
    return all(partition in places and places[partition].applied_until(end) for partition, end in ends.items())
