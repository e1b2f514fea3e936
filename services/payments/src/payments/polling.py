"""How long to wait before the bank is asked again."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(slots=True, frozen=True)
class Patience:
    """Pauses that grow with age: `first`, then half the age each time, at most `longest`; after `give_up` no more."""

    first: timedelta
    longest: timedelta
    give_up: timedelta

    def pause(self, age: timedelta) -> timedelta | None:
        """The pause after a question at this age, or None when it was the last one."""
        if age >= self.give_up:
            return None
        return min(max(self.first, age / 2), self.longest, max(self.first, self.give_up - age))
