"""Orders whose operator was taken out of the configuration: their lane has nobody, so the first one takes them over."""

import asyncio

from provisioning.operators.registry import Operators
from shared.database import Database
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

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._adopt()
            except Exception as error:  # noqa: BLE001 - the rows stay, and are looked for again
                log.warning("orders_not_adopted", error=error)
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _adopt(self) -> None:
        names = self._operators.names
        lanes = [self._operators.kind("provision", name) for name in names]
        async with self._database.transaction("work") as tx:
            kind = self._operators.kind("provision", names[0])
            found = (await tx.execute(_ADOPT, kind=kind, lanes=lanes)).scalars()
        if found:
            log.warning("orders_of_a_missing_operator", count=len(found))
