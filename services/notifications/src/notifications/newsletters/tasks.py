"""Tasks that plan and send newsletters, with connections and a rate limit of their own: no other email waits.

The way of a newsletter, from top to bottom:

1. `plan_newsletter` stores up to a thousand recipients, and schedules `send_newsletter` for them, and itself again.
2. `send_newsletter` takes ten recipients and stores them as `sending`, before the mail server is called. After a crash
   they are `unknown` and are not sent to again, so that nobody gets a newsletter twice.
3. It sends to the ten over several connections, stores what became of each, and takes the next ten.
4. Recipients whose mailbox is busy stay `planned`: the task is repeated for one day.
"""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from prometheus_client import Counter

from notifications.clients.mail import BAD_ADDRESS, Mail, Mailer, MailNotSent, MailOutcome, MailRefused
from notifications.delivery import DeliveryContext
from notifications.emails import Recipient, Storefront, list_headers, recipient
from notifications.newsletters import store
from notifications.newsletters.models import Newsletter, PlanPayload, RecipientRange, RecipientResult
from notifications.newsletters.rules import choose, render_newsletter
from shared.database import Database, Tx, is_infrastructure
from shared.outcomes import Done, NeedsPerson, NotDue, NotSent, Outcome
from shared.tasks import RecordOnly, Task, TaskResult
from shared.telemetry.logging import get_logger
from shared.values.refusal import InvalidValueError

log = get_logger(__name__)
#: So many recipients are `sending` at once: as many can become `unknown` in a crash.
_GROUP = 10
#: The email was not begun, because the service stops.
_NOT_BEGUN = MailNotSent("the service stops")
_RECORD_AGAIN_SECONDS = 0.2
_GIVE_UP = timedelta(days=1)


class PlanNewsletter(RecordOnly):
    """Task `plan_newsletter`: stores recipients, a thousand at a time."""

    kind = "plan_newsletter"
    payload = PlanPayload
    concurrency = 1

    def __init__(self, context: DeliveryContext) -> None:
        self._context = context

    async def record(self, tx: Tx, results: Sequence[TaskResult[None, PlanPayload]]) -> None:
        """Plan the next recipients. A newsletter that was stopped is planned no further."""
        for payload in sorted((result.task.payload for result in results), key=lambda payload: str(payload.after)):
            newsletter = await store.find(tx, payload.newsletter_id, lock=True)
            if newsletter is not None and not newsletter.stopped:
                storefront = self._context.sender.storefronts[newsletter.storefront]
                await store.plan(tx, newsletter, payload.after, _today(self._context.database, storefront))


@dataclass(frozen=True, slots=True)
class _Group:
    """Recipients that are stored as `sending`."""

    range: RecipientRange
    newsletter: Newsletter
    storefront: Storefront
    recipients: Sequence[Any]


class SendNewsletter:
    """Task `send_newsletter`: sends to a range of recipients, over several connections at once.

    `leaving` is set when the service stops: emails that are being sent are waited for, the rest stays planned.
    """

    kind = "send_newsletter"
    payload = RecipientRange
    concurrency = 1

    def __init__(
        self, context: DeliveryContext, mailer: Mailer, connections: int, per_second: float, leaving: asyncio.Event
    ) -> None:
        self._context = context
        self._mailer = mailer
        self._connections = asyncio.Semaphore(connections)
        self._pause = _GROUP / per_second
        self._leaving = leaving
        self._counter = Counter("newsletters", "Newsletters by outcome", ["outcome"], registry=context.registry)

    async def perform(self, task: Task[RecipientRange]) -> Outcome[None]:
        """Send to the whole range, ten recipients at a time."""
        database = self._context.database
        async with database.transaction("newsletter") as tx:
            await store.mark_unknown(tx, task.payload)
            newsletter = await store.find(tx, task.payload.newsletter_id)
        if newsletter is None:
            return Done(None)
        storefront = self._context.sender.storefronts.get(newsletter.storefront)
        if storefront is None:
            return NeedsPerson(f"the shops' folder has no {newsletter.storefront}")
        give_up = database.clock.now() - task.created_at > _GIVE_UP
        after, some_wait = task.payload.after, False
        while not self._leaving.is_set():
            began = time.monotonic()
            async with database.transaction("newsletter") as tx:
                rows = await store.take(tx, task.payload, after, _GROUP, _today(database, storefront))
            if not rows:
                break
            after = rows[-1].buyer_id
            group = _Group(task.payload, newsletter, storefront, [row for row in rows if row.state == "sending"])
            if group.recipients:
                outcomes, results = await self._send(task, group, give_up=give_up)
                if any(map(_server_unavailable, outcomes)) and not give_up:
                    return NotSent("the mail server is unavailable")
                some_wait |= any(result.state == "planned" for result in results)
            await self._keep_rate(began)
        if self._leaving.is_set():
            return NotDue(timedelta(0), "the service stops")
        return NotSent("some mailboxes are busy") if some_wait else Done(None)

    async def record(self, tx: Tx, results: Sequence[TaskResult[None, RecipientRange]]) -> None:
        """Do nothing: what became of each recipient is stored already."""

    async def _send(
        self, task: Task[RecipientRange], group: _Group, *, give_up: bool
    ) -> tuple[Sequence[MailOutcome], Sequence[RecipientResult]]:
        """Send to a group and store what became of each email.

        A stop that waits no longer cancels this; the outcomes until then are stored all the same.
        """
        attributes = {"newsletter.recipients": len(group.recipients)}
        outcomes: dict[UUID, MailOutcome] = {}
        results: list[RecipientResult] = []

        async def send_one(row: Any) -> None:
            async with self._connections:
                outcomes[row.buyer_id] = _NOT_BEGUN if self._leaving.is_set() else await self._send_one(group, row)

        try:
            with self._context.tracing.call("smtp", "newsletter", task.continues, attributes, name="newsletter"):
                await asyncio.gather(*map(send_one, group.recipients))
        finally:
            results += [_result(buyer, outcome, give_up=give_up) for buyer, outcome in outcomes.items()]
            await self._store(group.range, results)
        return list(outcomes.values()), results

    async def _send_one(self, group: _Group, row: Any) -> MailOutcome:
        try:
            to = recipient(row.name, row.email)
        except InvalidValueError:
            return BAD_ADDRESS
        sender = self._context.sender.return_path("newsletter", row.mail_id)
        return await self._mailer.send(Mail(sender, to, partial(self._compose, group, row, to)))

    def _compose(self, group: _Group, row: Any, to: Recipient) -> bytes:
        sender = self._context.sender
        unsubscribe = sender.links.unsubscribe(row.buyer_id)
        language, text = choose(group.newsletter.texts, row.language)
        return sender.compose(
            render_newsletter(group.storefront, language, text, row.name, unsubscribe),
            group.newsletter.storefront,
            to,
            kind="newsletter",
            subject_id=row.mail_id,
            date=self._context.now(),
            headers=list_headers(unsubscribe),
        )

    async def _store(self, recipients: RecipientRange, results: list[RecipientResult]) -> None:
        """Store what became of emails, repeatedly until the database takes it: it cannot be found out again."""
        while True:
            try:
                async with self._context.database.transaction("newsletter") as tx:
                    await store.settle(tx, recipients, results)
            except Exception as error:
                if not is_infrastructure(error):
                    raise
                log.warning("newsletter_not_recorded", error=error, mails=len(results))
                await asyncio.sleep(_RECORD_AGAIN_SECONDS)
            else:
                break
        for result in results:
            if result.state != "planned":
                self._counter.labels(result.state).inc()

    async def _keep_rate(self, began: float) -> None:
        remaining = self._pause - (time.monotonic() - began)
        if remaining > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(remaining):
                    await self._leaving.wait()


def _today(database: Database, storefront: Storefront) -> date:
    return database.clock.now().astimezone(ZoneInfo(storefront.time_zone)).date()


def _server_unavailable(outcome: MailOutcome) -> bool:
    """Whether the mail server did not answer at all, so that the other recipients are not tried now."""
    return isinstance(outcome, MailNotSent) and outcome.refusal is None and outcome is not _NOT_BEGUN


def _result(buyer_id: UUID, outcome: MailOutcome, *, give_up: bool) -> RecipientResult:
    match outcome:
        case Done():
            return RecipientResult(buyer_id, "sent")
        case MailRefused():
            return RecipientResult(buyer_id, "failed", outcome.smtp_code)
        case MailNotSent():
            return RecipientResult(buyer_id, "failed" if give_up and outcome is not _NOT_BEGUN else "planned")
    return RecipientResult(buyer_id, "unknown")
