"""Moves tasks of operators that are not configured any more to the first operator, since no queue performs them."""

from provisioning.generation import store
from provisioning.operators import Operators
from shared.database import Database
from shared.supervision import Loop
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
_AGAIN_SECONDS = 60.0


class Adoption:
    """Moves such tasks once a minute. `Provision` then tries the next operator, or waits for the deadline."""

    def __init__(self, operators: Operators, database: Database) -> None:
        self._operators = operators
        self._database = database

    async def run(self, loop: Loop) -> None:
        """Repeat until cancelled."""
        await loop.repeat(self._adopt, _AGAIN_SECONDS, "orders_not_adopted")

    async def _adopt(self) -> None:
        names = self._operators.names
        kinds = [self._operators.kind("provision", name) for name in names]
        async with self._database.transaction("work") as tx:
            kind = self._operators.kind("provision", names[0])
            count = await store.adopt(tx, kind, kinds)
        if count:
            log.warning("orders_of_a_missing_operator", count=count)
