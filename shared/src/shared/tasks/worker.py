"""Performs tasks: claims them, calls the outside with bounded concurrency, and has their outcomes recorded.

A new task is leased when it is created: the transaction that creates it marks it as held by this process, and after the
commit it goes straight to a performer, without a claim. Claims serve retries, timers and tasks of other processes.
"""

import asyncio
import random
import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from opentelemetry.trace import SpanKind

from shared.attempts import LeaseLostError, lease
from shared.database import Database, Tx, is_infrastructure, storable
from shared.failpoints import failpoint
from shared.outcomes import Done, NeedsPerson, NotDue, Outcome, Refused, Unknown, Unsettled, next_step
from shared.supervision import Loop, Supervisor
from shared.task_payload import UnreadablePayloadError, parse, stored
from shared.tasks import store
from shared.tasks.leases import Lease
from shared.tasks.models import Task, TaskHandler, TaskResult
from shared.tasks.queue import TaskQueue
from shared.tasks.recorder import ResultRecorder
from shared.tasks.store import Setback
from shared.telemetry.logging import error_place, get_logger
from shared.telemetry.metrics import Metrics
from shared.telemetry.tracing import Tracing, current

log = get_logger(__name__)
POLL_SECONDS = 1.0
#: A queue is claimed for when the poll has seen a due row or a row of its own becomes due; this is the upper bound.
_LONGEST_PAUSE = 30.0
_STOP_SECONDS = 10.0
_LONGEST_REASON = 500
#: The longest attempt. The heartbeat keeps the lease of a hanging attempt, so a lease alone does not end it. No single
#: wait is longer than that for the final reply of a mail server (10 minutes, RFC 5321 section 4.5.3.2.6).
ATTEMPT_SECONDS = 180 * store.LEASE_SECONDS
WATCH_SECONDS = 5.0
FIRST_RETRY, LONGEST_RETRY = 0.2, 60.0


def backoff(attempts: int) -> timedelta:
    """A jittered pause that doubles: about 0.2 s, 0.4 s, ... at most a minute."""
    pause = min(LONGEST_RETRY, FIRST_RETRY * 2 ** min(attempts, 20))
    return timedelta(seconds=pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter


class TaskWorker:
    """The tasks of one service in this process. It takes part in every transaction, to insert new tasks."""

    def __init__(
        self, database: Database, tracing: Tracing, metrics: Metrics, supervisor: Supervisor | None = None
    ) -> None:
        self._supervisor = supervisor or Supervisor(metrics)
        self._database = database
        self._tracing = tracing
        self._metrics = metrics
        self._queues: dict[str, TaskQueue] = {}
        self._lease = Lease(database, self._lease_lost, self._tasks_released, metrics.clock_ahead)
        self._recorder = ResultRecorder(database, metrics, lambda: self.owner)
        self._stopping = False

    def add(self, handler: TaskHandler[Any, Any]) -> None:
        """Perform tasks of this kind in this process."""
        self._queues[handler.kind] = TaskQueue(handler)

    @property
    def owner(self) -> UUID:
        """The id under which this process holds tasks now."""
        return self._lease.owner

    @property
    def held(self) -> int:
        """How many tasks this process holds."""
        return sum(queue.held for queue in self._queues.values())

    def wake(self, kinds: Iterable[str]) -> None:
        """Claim tasks of these kinds at once: some became due by a statement that this worker has not seen."""
        for kind in kinds:
            if (queue := self._queues.get(kind)) is not None:
                queue.wake()

    # --- part of every transaction --------------------------------------------------------------------------------

    async def before_commit(self, tx: Tx) -> None:
        """Insert new tasks, leased to this process where they are due and it has room for them."""
        if not tx.new_work:
            return
        rows = []
        for new in tx.new_work:
            queue = self._queues.get(new.kind)
            due = new.due_at is None or new.due_at <= tx.now
            leased = due and queue is not None and not self._stopping and self._lease.valid() and queue.reserve()
            owner = self.owner if leased else None
            payload = stored(new.payload)
            rows.append(store.NewRow(new.id, new.kind, new.key, payload, new.due_at or tx.now, owner, new.trace))
        tx.carried["work.rows"] = rows
        tx.carried["work.inserted"] = await store.insert(tx, rows)

    def after_commit(self, tx: Tx) -> None:
        """Hand the leased tasks to their performers. A task whose (kind, key) existed already was not inserted."""
        inserted = tx.carried.get("work.inserted")
        if inserted is None:
            return
        for new, row in zip(tx.new_work, tx.carried["work.rows"], strict=True):
            queue = self._queues.get(new.kind)
            if queue is None:
                continue
            if row.owner is not None:
                queue.unreserve()
                if new.id in inserted and row.owner == self.owner:
                    task: Task[Any] = Task(
                        new.id,
                        new.kind,
                        new.key,
                        new.payload,
                        attempts=0,
                        uncertain=False,
                        trace=new.trace,
                        created_at=tx.now,
                    )
                    queue.put(task)
            elif new.id in inserted:
                queue.expect((row.due_at - tx.now).total_seconds())

    def after_rollback(self, tx: Tx) -> None:
        """No task was created: free the reserved room."""
        for row in tx.carried.get("work.rows", ()):
            if row.owner is not None:
                self._queues[row.kind].unreserve()

    # --- running --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Perform tasks until cancelled; then finish those in progress, or give them back."""
        await self._acquire_lease()
        start, loop = self._supervisor.start, self._supervisor.loop
        loops = {
            "work.leases": self._lease.keep,
            "work.recording": self._recorder.run,
            "work.poll": self._poll,
            "work.watch": self._watch,
        }
        background = [start(name, endless(loop(name))) for name, endless in loops.items()]
        performers = []
        for kind, queue in self._queues.items():
            background.append(start(f"work.claim.{kind}", self._claim(queue, loop(f"work.claim.{kind}"))))
            performers += [
                start(f"work.perform.{kind}", self._perform(queue)) for _ in range(queue.handler.concurrency)
            ]
        try:
            # Not gather: it would cancel the recorder together with this.
            ended, _ = await asyncio.wait([*background, *performers], return_when=asyncio.FIRST_EXCEPTION)
            for background_task in ended:
                background_task.result()
        finally:
            await self._stop([*performers, *background])

    async def _acquire_lease(self) -> None:
        """Try until the database answers: a connection that is refused at the start must not end this worker."""
        while True:
            try:
                await self._lease.acquire()
            except Exception as error:
                if not is_infrastructure(error):
                    raise
                log.warning("lease_not_acquired", error=error)
                await asyncio.sleep(POLL_SECONDS)
            else:
                return

    async def _stop(self, running: Sequence["asyncio.Task[None]"]) -> None:
        """Wait for tasks in progress and their results, at most ten seconds, and end the lease."""
        self._stopping = True
        unstarted = [task.id for queue in self._queues.values() for task in queue.empty()]
        deadline = time.monotonic() + _STOP_SECONDS
        while (self.held or self._recorder.pending) and time.monotonic() < deadline:  # noqa: ASYNC110 - once in a process's life
            await asyncio.sleep(0.01)
        for background_task in running:
            background_task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._lease.release(unstarted)

    def _lease_lost(self) -> None:
        """The lease expired: other instances perform what this one held."""
        log.warning("lease_lost", held=self.held)
        for queue in self._queues.values():
            queue.empty()

    def _tasks_released(self) -> None:
        """Tasks of an expired lease wait in the table: whoever has noticed it claims them at once."""
        self.wake(self._queues)

    async def _poll(self, loop: Loop) -> None:
        """Look for due rows of all kinds by one statement, so that many kinds cost an idle service no more than one."""
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
                self.wake(due)
            await asyncio.sleep(POLL_SECONDS)

    async def _watch(self, loop: Loop) -> None:
        """End attempts that hang. The service is unready only where all performers of a kind hang."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            with loop.step():
                for kind, queue in self._queues.items():
                    for task_id in queue.cancel_hanging(ATTEMPT_SECONDS):
                        self._metrics.hung.labels(kind).inc()
                        log.error("task_attempt_hangs", kind=kind, task=str(task_id), seconds=ATTEMPT_SECONDS)
                    performing = self._supervisor.loop(f"work.perform.{kind}")
                    if queue.all_hang:
                        performing.begin()
                    else:
                        performing.succeed()

    async def _claim(self, queue: TaskQueue, loop: Loop) -> None:
        while True:
            await queue.pause(_LONGEST_PAUSE)
            if self._stopping or not self._lease.valid():
                continue
            room = queue.room()
            if not room:
                queue.full()
                continue
            loop.begin()
            try:
                async with self._database.transaction("lease") as tx:
                    owner = self.owner
                    claimed = await store.claim(tx, queue.handler.kind, owner, room)
                    if claimed:
                        failpoint("claim.before_commit")
            except Exception as error:  # noqa: BLE001 - the rows stay due
                log.warning("claim_failed", kind=queue.handler.kind, error=error)
                continue
            loop.succeed()
            if claimed:
                failpoint("claim.after_commit")
            if owner == self.owner:
                for task in claimed:
                    queue.put(task)
            if len(claimed) == room:
                queue.full()

    async def _perform(self, queue: TaskQueue) -> None:
        kind = queue.handler.kind
        seconds = self._metrics.work_seconds.labels(kind)
        while True:
            task = await queue.next()
            holds = partial(self._lease.holds, self.owner)
            if not await holds():
                queue.forget(task)  # the instance that takes the row performs it
                continue
            task.span = self._tracing.start(f"work {kind}", task.trace, SpanKind.INTERNAL, {"work.kind": kind})
            current.set(task.span.traceparent)
            lease.set(holds)
            began = time.perf_counter()
            queue.begin(task)
            try:
                outcome = await self._outcome(queue, task)
            except LeaseLostError:
                self._metrics.fenced.inc()
                log.warning("attempt_fenced", kind=kind, task=str(task.id))
                task.span.end("lease_lost")
                queue.forget(task)
                continue
            finally:
                queue.end()
            if isinstance(outcome, Done | Refused):
                seconds.observe(time.perf_counter() - began)
                self._recorder.add_result(queue, TaskResult(task, outcome))
            else:
                task.span.end(None if isinstance(outcome, NotDue) else type(outcome).__name__)
                self._set_back(queue, task, outcome)

    async def _outcome(self, queue: TaskQueue, task: Task[Any]) -> Outcome[Any]:
        """Read the payload and perform the task. A payload that cannot be read parks it: no call was made."""
        handler = queue.handler
        try:
            if not isinstance(task.payload, handler.payload):  # stored JSON; a task that was just created has its model
                task.payload = parse(handler.payload, task.payload)
            failpoint("work.before_call")
            outcome = await handler.perform(task)
            failpoint("work.after_call")
        except UnreadablePayloadError as error:
            log.error("task_payload_unreadable", kind=task.kind, key=task.key, reason=str(error))  # noqa: TRY400 - no words of exceptions in logs
            return NeedsPerson(str(error))
        except LeaseLostError:
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours: the call may have been made all the same
            log.error("task_failed", kind=task.kind, key=task.key, error=error_place(error))  # noqa: TRY400 - as above
            return Unknown(error_place(error))
        except asyncio.CancelledError:
            performer = asyncio.current_task()
            if performer is None or not queue.hangs():
                raise
            if performer.uncancel():
                raise  # the service stops too
            return Unknown(f"no outcome within {ATTEMPT_SECONDS:.0f} s")
        return outcome

    def _set_back(self, queue: TaskQueue, task: Task[Any], outcome: Unsettled) -> None:
        step = next_step(outcome, attempts=task.attempts, uncertain=task.uncertain, backoff=backoff(task.attempts))
        self._metrics.work.labels(task.kind, step.label).inc()
        due_at = self._database.clock.now() + step.delay
        reason = storable(outcome.reason)[:_LONGEST_REASON]
        self._recorder.add_setback(Setback(task.id, step.state, due_at, reason, step.attempts))
        queue.forget(task)
        queue.expect(step.delay.total_seconds())
