"""What was fetched, applied and committed, by partition, so that a gap or a standstill can never be silent.

An offset counts as applied when its record was applied or put aside in a committed transaction. Only applied offsets
are committed; whatever is raised, reading goes on at the applied offset.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aiokafka import TopicPartition

from shared.messaging.record_batches import Fetched, until

#: Records wait for this long, and none at all is applied: the consumer has stalled.
STALLED_SECONDS = 30.0
#: Records of one partition wait for this long while others are applied. With a deep backlog each waits for its turn.
STARVED_SECONDS = 120.0


@dataclass(slots=True)
class Place:
    """One partition. Offsets are those of the next record; `waiting_since` is monotonic."""

    fetched: int
    applied: int
    committed: int
    #: Since when records wait, or offsets are not committed, without any step forward; None where neither is so.
    waiting_since: float | None = None
    uncommitted_since: float | None = None


@dataclass(slots=True)
class Progress:
    """Every assigned partition of one consumer."""

    places: dict[TopicPartition, Place] = field(default_factory=dict)
    applied_at: float = field(default_factory=time.monotonic)

    def begin(self, position: Mapping[TopicPartition, int]) -> None:
        """Partitions that were assigned just now, and where the group's committed offsets let them begin."""
        self.places.update({place: Place(offset, offset, offset) for place, offset in position.items()})

    def forget(self) -> None:
        """The assignment has changed: where reading goes on is what the group has committed."""
        self.places.clear()

    def moved(self, position: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """Partitions that would go on elsewhere than at their applied offset, with that offset."""
        return {
            place: self.places[place].applied
            for place, offset in position.items()
            if place in self.places and offset != self.places[place].applied
        }

    def gap(self, place: TopicPartition, records: Sequence[Fetched]) -> int | None:
        """The offset at which these records fail to follow the applied ones, or one another; None where they follow."""
        expected = self.places[place].applied
        for record in records:
            if record.offset != expected:
                return expected
            expected = until(record)
        return None

    def fetched(self, ends: Mapping[TopicPartition, int]) -> None:
        """Records up to these offsets were handed to the handlers."""
        for place, end in ends.items():
            self.places[place].fetched = end

    def applied(self, ends: Mapping[TopicPartition, int]) -> None:
        """Records up to these offsets were applied or put aside, and that is committed."""
        self.applied_at = time.monotonic()
        for place, end in ends.items():
            if (state := self.places.get(place)) is not None:
                state.applied, state.waiting_since = end, None

    def committed(self, ends: Mapping[TopicPartition, int]) -> None:
        """The broker has stored these offsets of the group."""
        for place, end in ends.items():
            if (state := self.places.get(place)) is not None:
                state.committed, state.uncommitted_since = end, None

    def uncommitted(self) -> dict[TopicPartition, int]:
        """Applied offsets that the broker has not stored yet."""
        return {place: state.applied for place, state in self.places.items() if state.applied > state.committed}

    def compare(self, ends: Mapping[TopicPartition, int]) -> list[str]:
        """What has stood still for too long, given the topics' ends, in words."""
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
