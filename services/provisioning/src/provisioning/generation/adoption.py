"""Orders whose operator was taken out of the configuration: their lane has nobody, so the first one takes them over."""

from provisioning.operators.registry import Operators
from shared.database import Database
from shared.supervision import Loop
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
_AGAIN_SECONDS = 60.0
_ADOPT = """
UPDATE work SET kind = :kind WHERE kind LIKE 'provision:%' AND NOT kind = ANY(CAST(:lanes AS text[])) AND owner IS NULL
RETURNING key
"""


class Adoption:
    """Looks for such rows once a minute. `Provision` then turns to the next operator, or waits for the deadline."""

    def __init__(self, operators: Operators, database: Database) -> None:
        self._operators = operators
        self._database = database

    async def run(self, loop: Loop) -> None:
        """Until cancelled."""
        await loop.repeat(self._adopt, _AGAIN_SECONDS, "orders_not_adopted")

    async def _adopt(self) -> None:
        names = self._operators.names
        lanes = [self._operators.kind("provision", name) for name in names]
        async with self._database.transaction("work") as tx:
            kind = self._operators.kind("provision", names[0])
            found = (await tx.execute(_ADOPT, kind=kind, lanes=lanes)).scalars()
        if found:
            log.warning("orders_of_a_missing_operator", count=len(found))
