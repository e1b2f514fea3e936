"""Performs due work: claims it, calls the outside with bounded concurrency, records results in groups.

New work is *born leased*: the transaction that creates it marks it as held by this process, and after the commit it
goes straight to a worker without a claim. Claims serve retries, timers and what other processes left behind.

A lease lives as long as its holder's heartbeat. A process that was paused past it finds, before its next call or at
the latest when it records, that its rows belong to somebody else; then its results change nothing (fencing).
"""

import asyncio
import random
import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from opentelemetry.trace import SpanKind

from shared.database import Database, Tx, is_infrastructure, storable
from shared.failpoints import failpoint
from shared.ids import uuid7
from shared.outcomes import Done, NeedsPerson, NotDue, Outcome, Refused, Unknown, Unsettled, next_step
from shared.supervision import Loop, Supervisor
from shared.task_payload import TaskPayload, UnreadablePayloadError, parse, stored
from shared.tasks import store
from shared.tasks.exceptions import RaisingTaskHandler, from_exception, from_result
from shared.tasks.models import Task, TaskHandler, TaskResult
from shared.tasks.queue import TaskQueue
from shared.telemetry.logging import error_place, get_logger
from shared.telemetry.metrics import Metrics
from shared.telemetry.tracing import Tracing, current

log = get_logger(__name__)
_BEAT_SECONDS = 1.2
_POLL_SECONDS = 1.0
#: A queue looks when the poll has seen something, or when a row of its own becomes due; this is for what neither told.
_LONGEST_PAUSE = 30.0
_SWEEP_SECONDS = 30.0
_GROUP = 500
_STOP_SECONDS = 10.0
_Finished = tuple[TaskQueue, TaskResult[Any, Any]]
#: id, state, due at, reason, attempts
Setback = tuple[UUID, str, datetime, str, int]
FIRST_RETRY, LONGEST_RETRY = 0.2, 60.0


def backoff(attempts: int) -> timedelta:
    """A jittered pause that doubles: about 0.2 s, 0.4 s, ... at most a minute."""
    pause = min(LONGEST_RETRY, FIRST_RETRY * 2 ** min(attempts, 20))
    return timedelta(seconds=pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter


class TaskWorker:
    """The due work of one service, in this process."""

    def __init__(
        self, database: Database, tracing: Tracing, metrics: Metrics, supervisor: Supervisor | None = None
    ) -> None:
        self._supervisor = supervisor or Supervisor(metrics)
        self.owner: UUID = uuid7()
        self._database = database
        self._tracing = tracing
        self._metrics = metrics
        self._queues: dict[str, TaskQueue] = {}
        self._results: list[_Finished] = []
        self._setbacks: list[Setback] = []
        self._recorded = asyncio.Event()
        self._recording = False
        self._beat_at = 0.0
        self._stopping = False

    def add(self, handler: TaskHandler[Any, Any] | RaisingTaskHandler) -> None:
        """Perform this kind of work here."""
        self._queues[handler.kind] = TaskQueue(handler)

    @property
    def in_hand(self) -> int:
        """Items that this process holds."""
        return sum(queue.held for queue in self._queues.values())

    def wake(self, kinds: Iterable[str]) -> None:
        """Rows of these kinds became due just now, and not by a transaction of ours: look at once."""
        for kind in kinds:
            if (queue := self._queues.get(kind)) is not None:
                queue.wake()

    # --- riding in transactions -----------------------------------------------------------------------------------

    async def before_commit(self, tx: Tx) -> None:
        """Insert new work, leased to this process where it is due and there is room."""
        if not tx.new_work:
            return
        table_rows = []
        for new in tx.new_work:
            queue = self._queues.get(new.kind)
            now = new.due_at is None or new.due_at <= tx.now
            leased = now and queue is not None and not self._stopping and self._alive() and queue.reserve()
            table_rows.append(
                {
                    "id": new.id,
                    "kind": new.kind,
                    "key": new.key,
                    "payload": stored(new.payload),
                    "due_at": new.due_at or tx.now,
                    "owner": self.owner if leased else None,
                    "trace": new.trace,
                    "created_at": tx.now,
                }
            )
        tx.carried["work.rows"] = table_rows
        tx.carried["work.made"] = await store.insert(tx, table_rows)

    def after_commit(self, tx: Tx) -> None:
        """Give what was born leased to the workers."""
        made = tx.carried.get("work.made")
        if made is None:
            return
        for new, row in zip(tx.new_work, tx.carried["work.rows"], strict=True):
            queue = self._queues.get(new.kind)
            if queue is None:
                continue
            if row["owner"] is not None:
                queue.unreserve()
                if new.id in made and row["owner"] == self.owner:
                    queue.put(Task(new.id, new.kind, new.key, row["payload"], 0, False, new.trace, tx.now))  # noqa: FBT003 - not uncertain
            elif new.id in made:
                queue.expect((row["due_at"] - tx.now).total_seconds())

    def after_rollback(self, tx: Tx) -> None:
        """Nothing was created: free the reserved room."""
        for row in tx.carried.get("work.rows", ()):
            if row["owner"] is not None:
                self._queues[row["kind"]].unreserve()

    # --- running --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled; then finish what is in hand, or hand it back."""
        await self._join()
        start, loop = self._supervisor.start, self._supervisor.loop
        names = {"work.leases": self._keep_alive, "work.recording": self._record, "work.poll": self._poll}
        tasks = [start(name, work(loop(name))) for name, work in names.items()]
        performers = []
        for kind, queue in self._queues.items():
            tasks.append(start(f"work.claim.{kind}", self._claim(queue, loop(f"work.claim.{kind}"))))
            performers += [
                start(f"work.perform.{kind}", self._perform(queue)) for _ in range(queue.handler.concurrency)
            ]
        try:
            # Not gather: it would cancel the recording together with this.
            ended, _ = await asyncio.wait([*tasks, *performers], return_when=asyncio.FIRST_EXCEPTION)
            for task in ended:
                task.result()
        finally:
            await self._wind_down(tasks, performers)

    async def _wind_down(self, tasks: list["asyncio.Task[None]"], performers: list["asyncio.Task[None]"]) -> None:
        self._stopping = True
        unbegun = [item.id for queue in self._queues.values() for item in queue.empty()]
        deadline = time.monotonic() + _STOP_SECONDS
        while self._unsettled() and time.monotonic() < deadline:  # noqa: ASYNC110 - once in a process's life
            await asyncio.sleep(0.01)
        for task in (*performers, *tasks):
            task.cancel()
        await asyncio.gather(*performers, *tasks, return_exceptions=True)
        try:
            async with self._database.transaction("lease") as tx:
                await store.give_back(tx, unbegun, self.owner)
                await store.leave(tx, self.owner)
        except Exception as error:  # noqa: BLE001 - the leases run out by themselves
            log.warning("leases_left_to_expire", error=error)

    def _unsettled(self) -> bool:
        return bool(self.in_hand or self._results or self._setbacks or self._recording)

    async def _join(self) -> None:
        async with self._database.transaction("lease") as tx:
            await store.join(tx, self.owner)
        self._beat_at = time.monotonic()

    def _alive(self) -> bool:
        return time.monotonic() - self._beat_at < store.LEASE_SECONDS * 0.8

    async def _keep_alive(self, loop: Loop) -> None:
        swept = 0.0
        while True:
            await asyncio.sleep(_BEAT_SECONDS)
            loop.begin()
            try:
                async with self._database.transaction("lease") as tx:
                    started = time.monotonic()
                    renewed = await store.beat(tx, self.owner, sweep=started - swept > _SWEEP_SECONDS)
                    if started - swept > _SWEEP_SECONDS:
                        swept = started
                if renewed:
                    self._beat_at = started
                else:
                    await self._start_over()
                loop.succeed()
            except Exception as error:  # noqa: BLE001 - without a heartbeat nothing is begun, and leases run out
                log.warning("heartbeat_failed", error=error)

    async def _start_over(self) -> None:
        """Others took us for dead and have our work: begin again under another name."""
        log.warning("leases_lost", held=self.in_hand)
        for queue in self._queues.values():
            queue.empty()
        self.owner = uuid7()
        await self._join()

    async def _poll(self, loop: Loop) -> None:
        """One look for all queues: a service with many kinds of work costs at rest what one with a single kind does."""
        kinds = sorted(self._queues)
        while True:
            loop.begin()
            try:
                async with self._database.reading() as tx:
                    due = await store.due(tx, kinds)
            except Exception as error:  # noqa: BLE001 - the rows stay due
                log.warning("poll_failed", error=error)
            else:
                loop.succeed()
                for kind in due:
                    self._queues[kind].wake()
            await asyncio.sleep(_POLL_SECONDS)

    async def _claim(self, queue: TaskQueue, loop: Loop) -> None:
        while True:
            await queue.pause(_LONGEST_PAUSE)
            if self._stopping or not self._alive():
                continue
            room = queue.room()
            if not room:
                queue.full()
                continue
            loop.begin()
            try:
                async with self._database.transaction("lease") as tx:
                    owner = self.owner
                    items = await store.claim(tx, queue.handler.kind, owner, room)
                    if items:
                        failpoint("claim.before_commit")
            except Exception as error:  # noqa: BLE001 - the rows stay due
                log.warning("claim_failed", kind=queue.handler.kind, error=error)
                continue
            loop.succeed()
            if items:
                failpoint("claim.after_commit")
            if owner == self.owner:
                for item in items:
                    queue.put(item)
            if len(items) == room:
                queue.full()

    async def _perform(self, queue: TaskQueue) -> None:
        kind = queue.handler.kind
        while True:
            task = await queue.next()
            if not self._alive():
                queue.forget(task)  # the lease may be over: whoever reaps it does this
                continue
            task.span = self._tracing.start(f"work {kind}", task.trace, SpanKind.INTERNAL, {"work.kind": kind})
            current.set(task.span.traceparent)
            began = time.perf_counter()
            outcome = await self._outcome(queue.handler, task)
            if isinstance(outcome, Done | Refused):
                self._metrics.work_seconds.labels(kind).observe(time.perf_counter() - began)
                self._results.append((queue, TaskResult(task, outcome)))
            else:
                task.span.end(None if isinstance(outcome, NotDue) else type(outcome).__name__)
                self._set_back(queue, task, outcome)
            self._recorded.set()

    async def _outcome(self, handler: TaskHandler[Any, Any] | RaisingTaskHandler, task: Task[Any]) -> Outcome[Any]:
        """Read the payload and perform the task. A payload that cannot be read parks it: no call was made."""
        model: type[TaskPayload] | None = getattr(handler, "payload", None)
        try:
            if model is not None:
                task.payload = parse(model, task.payload)
            failpoint("work.before_call")
            outcome = from_result(await handler.perform(task))
            failpoint("work.after_call")
        except UnreadablePayloadError as error:
            log.error("task_payload_unreadable", kind=task.kind, key=task.key, reason=str(error))  # noqa: TRY400 - no words of exceptions in logs
            return NeedsPerson(str(error))
        except Exception as error:  # noqa: BLE001 - a fault of ours: the call may have been made all the same
            if (raised := from_exception(error)) is not None:
                return raised
            log.error("work_broke", kind=task.kind, key=task.key, error=error_place(error))  # noqa: TRY400 - as above
            return Unknown(error_place(error))
        return outcome

    def _set_back(self, queue: TaskQueue, task: Task[Any], outcome: Unsettled) -> None:
        step = next_step(outcome, attempts=task.attempts, uncertain=task.uncertain, backoff=backoff(task.attempts))
        self._metrics.work.labels(task.kind, step.label).inc()
        due_at = self._database.clock.now() + step.delay
        self._setbacks.append((task.id, step.state, due_at, storable(outcome.reason)[:500], step.attempts))
        queue.forget(task)
        queue.expect(step.delay.total_seconds())

    # --- recording ------------------------------------------------------------------------------------------------

    async def _record(self, loop: Loop) -> None:
        while True:
            await self._recorded.wait()
            self._recorded.clear()
            while self._results or self._setbacks:
                results, self._results = self._results[:_GROUP], self._results[_GROUP:]
                setbacks, self._setbacks = self._setbacks, []
                self._recording = True
                try:
                    with loop.step():
                        await self._record_group(results, setbacks)
                finally:
                    self._recording = False

    async def _record_group(self, results: list[_Finished], setbacks: list[Setback]) -> None:
        """Keep trying until recorded: what the outside world did must not be forgotten while this process lives.

        A group that cannot be recorded is taken apart: one result or setback of it must not hold the others.
        """
        try:
            await self._patiently(results, setbacks)
        except Exception as error:  # noqa: BLE001 - one of them is the cause: each is tried by itself
            log.warning("group_taken_apart", error=error, results=len(results), setbacks=len(setbacks))
            for one in results:
                await self._record_alone(one)
            for setback in setbacks:
                await self._set_back_alone(setback)
        for queue, done in results:
            if done.task.span:
                done.task.span.end()
            queue.forget(done.task)

    async def _patiently(self, results: Sequence[_Finished], setbacks: Sequence[Setback]) -> None:
        """Commit; wait as long as the database needs. Raises what is not the database's fault."""
        pause = 0.1
        while True:
            try:
                await self._commit(results, setbacks)
            except Exception as error:
                if not is_infrastructure(error):
                    raise
                log.warning("recording_postponed", error=error, results=len(results))
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)
            else:
                return

    async def _record_alone(self, one: _Finished) -> None:
        """Record one result; what cannot be recorded at all is parked, visibly, for a person."""
        _, done = one
        try:
            await self._patiently([one], [])
        except Exception as error:  # noqa: BLE001 - the call has been made; a person decides what came of it
            log.error("result_not_recorded", kind=done.task.kind, key=done.task.key, error=error_place(error))  # noqa: TRY400 - no words of exceptions in logs
            self._metrics.work.labels(done.task.kind, "parked").inc()
            reason = storable(f"its result cannot be recorded: {error_place(error)}")
            now = self._database.clock.now()
            await self._set_back_alone((done.task.id, "parked", now, reason, done.task.attempts + 1))

    async def _set_back_alone(self, setback: Setback) -> None:
        identity, _state, due_at, _reason, attempts = setback
        try:
            await self._patiently([], [setback])
        except Exception as error:  # noqa: BLE001 - with nothing in it that came from outside it can be stored
            log.error("setback_not_recorded", work=str(identity), error=error_place(error))  # noqa: TRY400 - as above
            plain: Setback = (identity, "parked", due_at, f"not stored: {error_place(error)}", min(attempts, 10**6))
            await self._patiently([], [plain])

    async def _commit(self, results: Sequence[_Finished], setbacks: Sequence[Setback]) -> None:
        owner = self.owner
        async with self._database.transaction("work") as tx:
            await store.postpone(tx, setbacks, owner)
            kept: set[UUID] = set()
            if results:
                kept = await store.finish(tx, [done.task.id for _, done in results], owner)
            by_kind: dict[str, list[TaskResult[Any, Any]]] = {}
            for _, done in results:
                if done.task.id in kept:
                    by_kind.setdefault(done.task.kind, []).append(done)
            for kind in sorted(by_kind):
                await self._queues[kind].handler.record(tx, by_kind[kind])
        self._metrics.transactions.labels("work").inc()
        for kind, group in by_kind.items():
            self._metrics.work.labels(kind, "done").inc(len(group))
        if len(kept) < len(results):
            self._metrics.fenced.inc(len(results) - len(kept))
            log.warning("results_fenced", count=len(results) - len(kept))
