"""Fetched, applied and committed offsets of each partition, so that every gap and every standstill is reported.

An offset is applied when its record was applied, or stored as a dead letter, in a committed transaction. Only applied
offsets are committed; whatever is raised, reading continues at the applied offset.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka import TopicPartition

from shared.messaging.record_batches import Fetched, until

#: When records wait and none at all is applied for this long, the consumer has stalled.
STALLED_SECONDS = 30.0
#: When records of one partition wait for this long while others are applied. With a long backlog each waits its turn.
STARVED_SECONDS = 120.0


@dataclass(slots=True)
class Place:
    """One partition. Offsets are those of the next record; `waiting_since` is monotonic."""

    fetched: int
    applied: int
    committed: int
    #: Since when records wait, or offsets are not committed, without any progress; None where that is not so.
    waiting_since: float | None = None
    uncommitted_since: float | None = None


@dataclass(slots=True)
class Progress:
    """Every assigned partition of one consumer."""

    places: dict[TopicPartition, Place] = field(default_factory=dict)
    applied_at: float = field(default_factory=time.monotonic)

    def begin(self, position: Mapping[TopicPartition, int]) -> None:
        """Add partitions that were assigned just now, with their first position."""
        self.places.update({place: Place(offset, offset, offset) for place, offset in position.items()})

    def forget(self) -> None:
        """Drop everything: the assignment has changed, and reading continues at the committed offsets."""
        self.places.clear()

    def moved(self, position: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """Partitions whose position is not their applied offset, with the applied offset."""
        return {
            place: self.places[place].applied
            for place, offset in position.items()
            if place in self.places and offset != self.places[place].applied
        }

    def gap(self, place: TopicPartition, records: Sequence[Fetched]) -> int | None:
        """The first missing offset between the applied offset and these records; None where there is none."""
        expected = self.places[place].applied
        for record in records:
            if record.offset != expected:
                return expected
            expected = until(record)
        return None

    def fetched(self, ends: Mapping[TopicPartition, int]) -> None:
        """Note that records up to these offsets were handed to the handlers."""
        for place, end in ends.items():
            self.places[place].fetched = end

    def applied(self, ends: Mapping[TopicPartition, int]) -> None:
        """Note that records up to these offsets were applied or stored as dead letters, in a committed transaction."""
        self.applied_at = time.monotonic()
        for place, end in ends.items():
            if (state := self.places.get(place)) is not None:
                state.applied, state.waiting_since = end, None

    def committed(self, ends: Mapping[TopicPartition, int]) -> None:
        """Note that the broker has stored these offsets of the group."""
        for place, end in ends.items():
            if (state := self.places.get(place)) is not None:
                state.committed, state.uncommitted_since = end, None

    def uncommitted(self) -> dict[TopicPartition, int]:
        """Applied offsets that the broker has not stored yet."""
        return {place: state.applied for place, state in self.places.items() if state.applied > state.committed}

    def compare(self, ends: Mapping[TopicPartition, int]) -> list[str]:
        """One sentence for each partition that has stood still for too long, given the topics' ends."""
        now, stalled = time.monotonic(), []
        patience = STALLED_SECONDS if now - self.applied_at >= STALLED_SECONDS else STARVED_SECONDS
        for place, state in self.places.items():
            waiting = ends.get(place, 0) > state.applied
            state.waiting_since = (state.waiting_since or now) if waiting else None
            behind = state.committed != state.applied
            state.uncommitted_since = (state.uncommitted_since or now) if behind else None
            where = f"{place.topic}[{place.partition}]"
            if state.waiting_since is not None and now - state.waiting_since >= patience:
                stalled.append(f"{where} stands at offset {state.applied}, its end is {ends[place]}")
            if state.uncommitted_since is not None and now - state.uncommitted_since >= STALLED_SECONDS:
                stalled.append(f"{where} is applied up to {state.applied} and committed up to {state.committed}")
        return stalled
