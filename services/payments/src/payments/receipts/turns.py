"""One request at a time for each cash register, across all instances of the service (docs/wire/webkassa.md).

A turn is a row that names the instance at work. It is worth what that instance's heartbeat is worth: a killed one's
turn is over a few seconds later, as its leases are. No transaction is open while the register works.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

from shared.database import Database, Tx
from shared.tasks import Later

#: Longer than anybody may work in one turn; over then even where giving it back failed.
TURN_SECONDS = 120.0
_PATIENCE_SECONDS, _LOOK_SECONDS = 10.0, 0.03
_LATER = timedelta(seconds=1)
#: The same instance may take its own turn again: within it, a lock keeps the register to one caller.
_TAKE = """
INSERT INTO register_turns (cashbox, holder, until)
VALUES (:cashbox, :holder, clock_timestamp() + make_interval(secs => :seconds))
ON CONFLICT (cashbox) DO UPDATE SET holder = EXCLUDED.holder, until = EXCLUDED.until
WHERE register_turns.holder IS NULL OR register_turns.holder = EXCLUDED.holder
  OR register_turns.until < clock_timestamp() OR NOT EXISTS (
    SELECT 1 FROM instances i WHERE i.id = register_turns.holder AND i.expires_at > clock_timestamp())
RETURNING cashbox
"""
_GIVE = "UPDATE register_turns SET holder = NULL WHERE cashbox = :cashbox AND holder = :holder"


class Turns:
    """Whose turn it is. `owner` names this instance as its leases do."""

    def __init__(self, database: Database, owner: Callable[[], UUID]) -> None:
        self._database = database
        self._owner = owner
        self._locks: dict[str, asyncio.Lock] = {}

    @asynccontextmanager
    async def turn(self, cashbox: str, intend: Callable[[Tx], Awaitable[None]]) -> AsyncIterator[None]:
        """Wait for this register and have it for the block, `intend` being committed with the turn.

        Raises Later when others keep the register for too long, TimeoutError when the block takes too long.
        """
        async with self._locks.setdefault(cashbox, asyncio.Lock()):
            holder = await self._take(cashbox, intend)
            try:
                async with asyncio.timeout(TURN_SECONDS * 0.8):
                    yield
            finally:
                async with self._database.transaction("register_turn") as tx:
                    await tx.execute(_GIVE, cashbox=cashbox, holder=holder)

    async def _take(self, cashbox: str, intend: Callable[[Tx], Awaitable[None]]) -> UUID:
        waited = 0.0
        while waited < _PATIENCE_SECONDS:
            holder = self._owner()
            async with self._database.transaction("receipt_intent") as tx:
                taken = await tx.execute(_TAKE, cashbox=cashbox, holder=holder, seconds=TURN_SECONDS)
                if taken.scalar() is not None:
                    await intend(tx)
                    return holder
            await asyncio.sleep(_LOOK_SECONDS)
            waited += _LOOK_SECONDS
        raise Later(_LATER, "another instance keeps the cash register busy")
