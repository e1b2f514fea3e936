"""Delivers webhooks. One task stands for all due deliveries of one endpoint; its key is the endpoint's id.

A task takes the endpoint's oldest due deliveries in groups, at most one of each order and a few at once, and gives its
place back after a short time. So an endpoint with ten thousand deliveries, or one that hangs, occupies one performer,
and attempts about one order are made one after the other.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from ordering.clients.webhook_receiver import Answer, Connection, WebhookReceiver
from ordering.updates.models import DELIVER_WEBHOOKS, RETRY_WEBHOOKS
from ordering.webhooks import store
from ordering.webhooks.actions import disable, schedule_due
from ordering.webhooks.metrics import WebhookMetrics
from ordering.webhooks.models import Attempt, Due, Endpoint
from ordering.webhooks.rules import first_of_each_order, health, judge
from ordering.webhooks.secrets import SigningSecrets
from shared.database import Database, Tx
from shared.outcomes import Done, NotDue
from shared.supervision import Loop
from shared.task_payload import NoPayload
from shared.tasks import Task, TaskResult
from shared.telemetry.tracing import Tracing

#: Attempts at one endpoint at the same time. A receiver that answers within 50 ms gets 160 webhooks a second.
_AT_ONCE = 8
#: Due deliveries that are read to find so many different orders.
_READ = 64
#: After so long a task begins no further group, and waits behind the tasks of other endpoints.
_SLICE_SECONDS = 2.0
#: How often due retries of all endpoints are looked for, by one statement; with very many endpoints more rarely, so
#: that it takes no more than a twentieth of the time.
_LOOK_SECONDS, _LOOK_SHARE = 1.0, 0.05


class DeliverWebhooks:
    """Performs the task of one endpoint. There are two kinds: for endpoints that work, and for `failing` ones.

    An endpoint moves from one kind to the other when its attempts fail or succeed. So one that hangs takes a place once
    among those that work, for ten seconds, and the places of the failing ones from then on.
    """

    payload = NoPayload
    #: Endpoints of each kind that are served at the same time.
    concurrency = 64

    def __init__(
        self,
        database: Database,
        receiver: WebhookReceiver,
        secrets: SigningSecrets,
        tracing: Tracing,
        metrics: WebhookMetrics,
        *,
        failing: bool,
    ) -> None:
        self.kind = RETRY_WEBHOOKS if failing else DELIVER_WEBHOOKS
        self._failing = failing
        self._database = database
        self._receiver = receiver
        self._secrets = secrets
        self._tracing = tracing
        self._metrics = metrics

    async def perform(self, task: Task[NoPayload]) -> Done[None] | NotDue:
        """Deliver what is due, group by group. Each group is recorded before the next one is sent.

        A crash between an answer and its record repeats that group's webhooks under the same ids.
        """
        endpoint_id = UUID(task.key)
        end = time.monotonic() + _SLICE_SECONDS
        while True:
            async with self._database.reading() as tx:
                endpoint = await store.find_endpoint(tx, endpoint_id, None)
                if endpoint is None or not self._may_send(endpoint, tx):
                    return Done(None)
                secrets = await store.valid_secrets(tx, endpoint_id)
                group = first_of_each_order(await store.find_due(tx, endpoint_id, _READ), _AT_ONCE)
            if not group:
                return Done(None)
            if time.monotonic() > end:
                return NotDue(timedelta(0))
            answers = await self._send(endpoint, secrets, group)
            async with self._database.transaction("webhooks") as tx:
                await self._record(tx, endpoint_id, group, answers)

    async def record(self, tx: Tx, results: Sequence[TaskResult[None, NoPayload]]) -> None:
        """These tasks saw nothing more to do. What became due meanwhile, or is of the other kind, gets a new task."""
        await schedule_due(tx, [UUID(result.task.key) for result in results])

    async def find_due_endpoints(self, loop: Loop) -> None:
        """Create the tasks of endpoints with due retries, until cancelled."""
        await loop.repeat(self._create_tasks, _LOOK_SECONDS, "webhook_retries_not_read")

    async def _create_tasks(self) -> float:
        began = time.monotonic()
        async with self._database.reading() as tx:
            endpoints = await store.without_task(tx)
        pause = max(_LOOK_SECONDS, (time.monotonic() - began) / _LOOK_SHARE)
        if endpoints:
            async with self._database.transaction("webhook_tasks") as tx:
                await schedule_due(tx)
        return pause

    async def _send(self, endpoint: Endpoint, secrets: Sequence[str], group: Sequence[Due]) -> list[Answer]:
        """One attempt for each of these deliveries, at the same time."""
        async with self._receiver.connect(endpoint.url) as connection:
            return await asyncio.gather(*(self._attempt(connection, endpoint, secrets, due) for due in group))

    async def _attempt(self, connection: Connection, endpoint: Endpoint, secrets: Sequence[str], due: Due) -> Answer:
        call = self._tracing.start_call("shop", "webhook", due.trace)
        call.asks("POST", endpoint.url)
        headers = self._secrets.headers(secrets, due.update_id, self._database.clock.now(), due.body)
        answer = await connection.post(headers, due.body.encode())
        if answer.status is not None:
            call.answered(answer.status)
        # A word of its own: a server of a shop that fails must not ring as a system that our orders need.
        call.outcome = "ok" if answer.status in range(200, 300) else "not_taken"
        call.end(answer.failure)
        return answer

    async def _record(self, tx: Tx, endpoint_id: UUID, group: Sequence[Due], answers: Sequence[Answer]) -> None:
        attempts = [self._judge(tx, due, answer) for due, answer in zip(group, answers, strict=True)]
        endpoint = await store.lock_endpoint(tx, endpoint_id, None)
        await store.record_attempts(tx, endpoint_id, attempts)
        self._metrics.attempted(attempts)
        if endpoint is None or endpoint.disabled_at is not None:
            return
        now = health(endpoint, attempts, tx.now, random.random())  # noqa: S311 - jitter
        await store.record_health(tx, endpoint_id, now)
        if now.disable is not None:
            await disable(tx, endpoint, now.disable)
            self._metrics.disabled(now.disable)

    def _may_send(self, endpoint: Endpoint, tx: Tx) -> bool:
        paused = endpoint.paused_until is not None and endpoint.paused_until > tx.now
        return endpoint.disabled_at is None and not paused and (endpoint.failures > 0) == self._failing

    def _judge(self, tx: Tx, due: Due, answer: Answer) -> Attempt:
        return judge(
            due,
            tx.now,
            random.random(),  # noqa: S311 - jitter
            status=answer.status,
            failure=answer.failure,
            retry_after=answer.retry_after,
            latency_ms=answer.latency_ms,
            text=answer.text,
        )
