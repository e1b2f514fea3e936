"""What every attack works with."""

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hostile.budget import Budget
from hostile.findings import Findings
from hostile.good import AwaitedOrder
from hostile.kafka import Writing
from hostile.sender import Sender
from hostile.target import Target
from local_stack.product import PRODUCT
from sandbox.client import SandboxClient
from tour.buying import Buying
from tour.orders import Paid


@dataclass
class Context:
    """One run. `paid` are the good orders so far, whose numbers and ids attackers know.

    `odd_mails` are orders whose mails the mail server answers badly. The budgets are those of all attackers together.
    """

    target: Target
    rng: random.Random
    findings: Findings
    sender: Sender
    buying: Buying
    sandbox: SandboxClient
    writing: Writing
    paid: list[Paid] = field(default_factory=list)
    odd_mails: list[AwaitedOrder] = field(default_factory=list)
    catalogues: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Records that readers of our own topics put aside: a hundred in a minute stop them, as they should.
    junk: Budget = field(default_factory=lambda: Budget(40, 60))
    mail_faults: Budget = field(default_factory=lambda: Budget(3, 10))
    answer_faults: Budget = field(default_factory=lambda: Budget(2, 10))

    def of(self, rng: random.Random) -> "Context":
        """The same run, for an attacker with choices of its own."""
        return replace(self, rng=rng)

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
