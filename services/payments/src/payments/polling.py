"""How long to wait before the bank is asked again."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(slots=True, frozen=True)
class PollingSchedule:
    """Pauses that grow with the task's age: `first`, then half the age, at most `longest`; none after `give_up`."""

    first: timedelta
    longest: timedelta
    give_up: timedelta

    def pause(self, age: timedelta) -> timedelta | None:
        """The pause after a question at this age; None when it was the last question."""
        if age >= self.give_up:
            return None
        return min(max(self.first, age / 2), self.longest, max(self.first, self.give_up - age))


#: The pause after the bank has refused a question (our terminal or token is wrong) or had an error.
REFUSED_PAUSE = timedelta(seconds=60)
