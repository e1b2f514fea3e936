"""How long an operator may take to answer."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta


@dataclass(slots=True, frozen=True)
class Patience:
    """`retry`: the next observation is requested after this. `observation`: after this a person has to act."""

    observation: timedelta
    retry: timedelta
    #: What a shop's own settings say; None: nothing of its own.
    of_shop: Callable[[str], timedelta | None] = lambda _storefront: None

    def of(self, storefront: str) -> timedelta:
        """After how long a person has to act on an order of this storefront."""
        return self.of_shop(storefront) or self.observation
