"""Limits each cash register to one request at a time, across all instances of the service (docs/wire/webkassa.md).

A turn is a row that names the instance that uses the register. It is valid while that instance's heartbeat is: after a
kill it ends a few seconds later, as the instance's leases do. No transaction is open while the register works.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

from shared.database import Database, Tx
from shared.kernel.outbound import time_limit
from shared.outcomes import NotDue

#: Longer than the work in one turn may take. The turn ends then, also where returning it failed.
TURN_SECONDS = 120.0
_WAIT_SECONDS, _POLL_SECONDS = 10.0, 0.03
_BUSY = NotDue(timedelta(seconds=1), "another instance keeps the cash register busy")
#: The same instance may take its own turn again: inside it, a lock admits one caller.
_TAKE = """
INSERT INTO register_turns (cashbox, holder, until)
VALUES (:cashbox, :holder, clock_timestamp() + make_interval(secs => :seconds))
ON CONFLICT (cashbox) DO UPDATE SET holder = EXCLUDED.holder, until = EXCLUDED.until
WHERE register_turns.holder IS NULL OR register_turns.holder = EXCLUDED.holder
  OR register_turns.until < clock_timestamp() OR NOT EXISTS (
    SELECT 1 FROM instances i WHERE i.id = register_turns.holder AND i.expires_at > clock_timestamp())
RETURNING cashbox
"""
_RETURN = "UPDATE register_turns SET holder = NULL WHERE cashbox = :cashbox AND holder = :holder"


class Turns:
    """The turns of all registers. `owner` is the id of this instance in its leases."""

    def __init__(self, database: Database, owner: Callable[[], UUID]) -> None:
        self._database = database
        self._owner = owner
        self._locks: dict[str, asyncio.Lock] = {}

    @asynccontextmanager
    async def turn(self, cashbox: str, intend: Callable[[Tx], Awaitable[None]]) -> AsyncIterator[NotDue | None]:
        """Wait for the register and use it inside the block; `intend` is committed together with the turn.

        Yields NotDue where other instances keep the register for too long: the block must not use it then.
        Raises TimeoutError when the block takes too long.
        """
        async with self._locks.setdefault(cashbox, asyncio.Lock()):
            holder = await self._take(cashbox, intend)
            if holder is None:
                yield _BUSY
                return
            try:
                with time_limit(TURN_SECONDS * 0.8):
                    yield None
            finally:
                async with self._database.transaction("register_turn") as tx:
                    await tx.execute(_RETURN, cashbox=cashbox, holder=holder)

    async def _take(self, cashbox: str, intend: Callable[[Tx], Awaitable[None]]) -> UUID | None:
        """The id under which the turn was taken; None where the register stayed busy."""
        waited = 0.0
        while waited < _WAIT_SECONDS:
            holder = self._owner()
            async with self._database.transaction("receipt_intent") as tx:
                taken = await tx.execute(_TAKE, cashbox=cashbox, holder=holder, seconds=TURN_SECONDS)
                if taken.scalar() is not None:
                    await intend(tx)
                    return holder
            await asyncio.sleep(_POLL_SECONDS)
            waited += _POLL_SECONDS
        return None
