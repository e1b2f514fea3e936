"""Up to which moment everything that was told has been applied here.

The consumer of a busy product is never at the end of its topics, so "is there a lag?" is the wrong question. Instead
the ends of all topics are noted with the time; as soon as the group has applied what came before a note, the read model
is complete as of the note's time. While there is a backlog that moment stands still, and with it every rule about what
is missing.
"""

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from aiokafka import TopicPartition

from shared.messaging.reading import Place

_MOST_NOTES = 120


class Reads(Protocol):
    """Tells how far the group has read (shared.messaging.reading.GroupReading)."""

    async def places(self) -> Mapping[TopicPartition, Place] | None: ...


class Progress:
    """Notes of this process. After a start nothing is known until what was there at the first look is applied."""

    def __init__(self, reading: Reads) -> None:
        self._reading = reading
        self._notes: deque[tuple[datetime, dict[TopicPartition, int]]] = deque()

    async def look(self, now: datetime) -> datetime | None:
        """The newest moment up to which everything has been applied; None where that is not known (yet)."""
        places = await self._reading.places()
        if places is None:
            return None
        self._notes.append((now, {place: found.end for place, found in places.items()}))
        if len(self._notes) > _MOST_NOTES:
            del self._notes[_MOST_NOTES // 2]  # a long backlog: neither the oldest note nor the newest may go
        done = [at for at, ends in self._notes if _applied(places, ends)]
        if not done:
            return None
        while self._notes[0][0] < done[-1]:
            self._notes.popleft()
        return done[-1]


def _applied(places: Mapping[TopicPartition, Place], ends: Mapping[TopicPartition, int]) -> bool:
    return all(place in places and places[place].applied_until(end) for place, end in ends.items())
