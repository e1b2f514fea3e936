"""How long an operator may take to answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(slots=True, frozen=True)
class Patience:
    """`retry`: the next observation is requested after this. `observation`: after this a person has to act."""

    observation: timedelta
    retry: timedelta
    by_storefront: Mapping[str, timedelta] = field(default_factory=dict)

    def of(self, storefront: str) -> timedelta:
        """After how long a person has to act on an order of this storefront."""
        return self.by_storefront.get(storefront, self.observation)
