"""What every attack works with."""

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Producer

from hostile.door import Door
from hostile.findings import Findings
from hostile.target import Target
from local_stack.product import PRODUCT
from tour.orders import Paid


@dataclass
class Context:
    """One run. `paid` are the good orders so far, whose numbers and ids attackers know."""

    target: Target
    rng: random.Random
    findings: Findings
    door: Door
    paid: list[Paid] = field(default_factory=list)
    producers: dict[str, Producer] = field(default_factory=dict)
    catalogues: dict[str, dict[str, Any]] = field(default_factory=dict)

    def environment(self, service: str) -> Mapping[str, str]:
        """The settings of a service, with the secrets that its neighbours outside know."""
        component = next(one for one in PRODUCT if one.name == service)
        return component.environment(self.target.site)

    def order_id(self) -> str:
        """Somebody's order, or none."""
        return self.rng.choice(self.paid).order.id if self.paid and self.rng.random() < 0.5 else "no-such-order"

    def bearer(self, key: str) -> dict[str, str]:
        """The header of a key."""
        return {"Authorization": f"Bearer {key}"}


Attack = Callable[[Context], Awaitable[Any]]
