"""Group commit of orders that arrive over HTTP: those that wait at the same moment share one transaction.

An order that arrives alone has a transaction of its own at once. While that transaction runs, others gather and follow
together, so an order costs fewer statements and commits the more orders there are.

- Each order has its own answer. Where an order makes the transaction of its group fail, each of them is tried alone.
- Orders that fraud control counts together, or that have the same idempotency key, are never in one group: each sees
  what the one before it has committed.
- A transaction that waits for a lock holds up its own group only: another one begins beside it.
"""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from ordering.holds.models import LimitsOf
from ordering.intake.actions import accept
from ordering.intake.models import Accepted, Checked, Refusal
from shared.database import Database, is_infrastructure, is_undone
from shared.telemetry.logging import get_logger

log = get_logger(__name__)
_LARGEST_GROUP = 100
#: How long a transaction may take before the next group no longer waits for it.
_SLOW_SECONDS = 0.1
#: Transactions at once; the pool of connections has a few more (DATABASE_POOL_SIZE).
_MOST_TRANSACTIONS = 4


@dataclass(frozen=True, slots=True)
class _Waiting:
    order: Checked
    subjects: frozenset[str]
    answer: "asyncio.Future[Accepted | Refusal]"


class GroupCommit:
    """The orders of this process that wait for a transaction."""

    def __init__(self, database: Database, *, keep_sessions: timedelta, limits: LimitsOf) -> None:
        self._database = database
        self._keep_sessions = keep_sessions
        self._limits = limits
        self._waiting: deque[_Waiting] = deque()
        self._committing: set[asyncio.Task[None]] = set()
        #: How many of them have a transaction that is slow.
        self._slow = 0

    async def accept(self, order: Checked) -> Accepted | Refusal:
        """Accept or refuse an order; returns when that is committed. Raises what its transaction raised."""
        answer: asyncio.Future[Accepted | Refusal] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(order, order.subjects, answer))
        self._begin()
        return await answer

    def _begin(self) -> None:
        if self._waiting and self._slow == len(self._committing) < _MOST_TRANSACTIONS:
            # Its own context: what it logs belongs to no single request.
            self._committing.add(asyncio.get_running_loop().create_task(self._commit_groups(), context=Context()))

    async def _commit_groups(self) -> None:
        try:
            while group := self._next_group():
                with self._patience():
                    await self._commit(group)
        finally:
            # At once, not by a callback of the task: an order that arrives in between would wait for ever.
            self._committing.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    @contextmanager
    def _patience(self) -> Iterator[None]:
        """Let another transaction begin where this one takes long."""
        is_slow = False

        def slow() -> None:
            nonlocal is_slow
            is_slow = True
            self._slow += 1
            self._begin()

        timer = asyncio.get_running_loop().call_later(_SLOW_SECONDS, slow)
        try:
            yield
        finally:
            timer.cancel()
            self._slow -= is_slow

    def _next_group(self) -> list[_Waiting]:
        """The orders that have waited longest and have nothing to do with each other."""
        group: list[_Waiting] = []
        related: list[_Waiting] = []
        subjects: set[str] = set()
        while self._waiting and len(group) + len(related) < _LARGEST_GROUP:
            waiting = self._waiting.popleft()
            if waiting.answer.done():
                continue  # its request was cancelled
            if subjects.isdisjoint(waiting.subjects):
                group.append(waiting)
                subjects |= waiting.subjects
            else:
                related.append(waiting)
        self._waiting.extendleft(reversed(related))
        return group

    async def _commit(self, group: list[_Waiting]) -> None:
        orders = [waiting.order for waiting in group]
        try:
            async with self._database.transaction("http") as tx:
                answers = await accept(tx, orders, keep_sessions=self._keep_sessions, limits=self._limits)
        except Exception as error:  # noqa: BLE001 - raised again in the requests
            await self._failed(group, error)
        except BaseException:
            for waiting in group:
                waiting.answer.cancel()
            raise
        else:
            for waiting, answer in zip(group, answers, strict=True):
                if not waiting.answer.done():
                    waiting.answer.set_result(answer)

    async def _failed(self, group: list[_Waiting], error: Exception) -> None:
        """Try each order alone where one of them may be at fault; else each request has the error."""
        if len(group) > 1 and not is_infrastructure(error) and not is_undone(error):
            log.warning("order_group_split", orders=len(group), error=error)
            for waiting in group:
                await self._commit([waiting])
            return
        for waiting in group:
            if not waiting.answer.done():
                waiting.answer.set_exception(error)
