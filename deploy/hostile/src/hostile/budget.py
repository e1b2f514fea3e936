"""A rate that an attack keeps to: some limits of the product are meant, and are not what is tried here."""

import time
from collections import deque
from dataclasses import dataclass, field


@dataclass
class Budget:
    """At most `most` in any `seconds`."""

    most: int
    seconds: float
    _taken: deque[float] = field(default_factory=deque)

    def take(self, count: int = 1) -> bool:
        """Whether there is room for so many more now; if so they are counted."""
        now = time.monotonic()
        while self._taken and self._taken[0] < now - self.seconds:
            self._taken.popleft()
        if len(self._taken) + count > self.most:
            return False
        self._taken.extend([now] * count)
        return True
