"""Newsletters are sent in a lane of their own, with connections of their own and not too fast: other mails never wait.

Each recipient is written down before the mail server is called, so that after a crash nobody gets a newsletter twice.
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

from notifications.clients.mail import Accepted, Answer, Mail, Mailer, NotNow, Refused
from notifications.delivery import EmailSender
from notifications.emails import Recipient, Storefront, message, recipient
from notifications.newsletters import store as newsletters
from notifications.newsletters.rules import choose, list_headers, render_newsletter
from notifications.newsletters.store import Newsletter, Outcome, RecipientRange
from shared.database import Database, Tx, is_infrastructure
from shared.tasks import Later, NeedsPersonError, Task, TaskResult
from shared.tasks import NotNow as Postponed
from shared.telemetry.logging import get_logger
from shared.values.refusal import InvalidValueError

log = get_logger(__name__)
#: So many are written down as being sent at once: this is what a crash can leave unknown.
_GROUP = 10
#: What became of a mail that was not begun, because the service stops.
_NOT_BEGUN = NotNow("the service stops")
_RECORD_AGAIN_SECONDS = 0.2
_GIVE_UP = timedelta(days=1)
_NO_ADDRESS = Refused(553, "5.1.3")


def _day(database: Database, store: Storefront) -> date:
    return database.clock.now().astimezone(ZoneInfo(store.time_zone)).date()


class PlanNewsletter:
    """Writes down recipients, a thousand at a time."""

    kind = "plan_newsletter"
    concurrency = 1

    def __init__(self, sending: EmailSender) -> None:
        self._sending = sending

    async def perform(self, task: Task) -> None:
        """Nothing outside: all of it is in `record`."""

    async def record(self, tx: Tx, done: Sequence[TaskResult[None]]) -> None:
        """Plan the pieces; a newsletter that was stopped is planned no further."""
        for payload in sorted((one.task.payload for one in done), key=lambda one: str(one["after"])):
            found = await newsletters.find(tx, UUID(payload["newsletter"]), lock=True)
            if found is not None and not found.stopped:
                after = UUID(payload["after"]) if payload["after"] else None
                day = _day(self._sending.database, self._sending.storefronts[found.storefront])
                await newsletters.plan(tx, found, after, day)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Recipients who are written down as being sent to."""

    piece: RecipientRange
    newsletter: Newsletter
    store: Storefront
    people: Sequence[Any]


class SendNewsletter:
    """Sends to the recipients of one piece, over so many `connections` at once.

    `leaving`: set when the service stops; mails under way are waited for, the rest is for the next start.
    """

    kind = "send_newsletter"
    concurrency = 1

    def __init__(
        self, sending: EmailSender, mailer: Mailer, connections: int, per_second: float, leaving: asyncio.Event
    ) -> None:
        self._sending = sending
        self._mailer = mailer
        self._free = asyncio.Semaphore(connections)
        self._pause = _GROUP / per_second
        self._leaving = leaving
        self._mails = Counter("newsletters", "Newsletters by outcome", ["outcome"], registry=sending.registry)

    async def perform(self, task: Task) -> None:
        """All of the piece. Raises Later, NotNow, NeedsPersonError."""
        piece = RecipientRange.of(task.payload)
        async with self._sending.database.transaction("newsletter") as tx:
            await newsletters.give_up_lost(tx, piece)
            found = await newsletters.find(tx, piece.newsletter_id)
        if found is None:
            return
        store = self._sending.storefronts.get(found.storefront)
        if store is None:
            raise NeedsPersonError(f"storefronts.toml has no entry for {found.storefront}")
        over = self._sending.database.clock.now() - task.created_at > _GIVE_UP
        after, postponed = piece.after, False
        while not self._leaving.is_set():
            began = time.monotonic()
            async with self._sending.database.transaction("newsletter") as tx:
                today = _day(self._sending.database, store)
                rows = await newsletters.take(tx, piece, after, _GROUP, today)
            if not rows:
                break
            after = rows[-1].buyer_id
            people = [row for row in rows if row.state == "sending"]
            if people:
                postponed |= await self._send(task, _Batch(piece, found, store, people), over=over)
            await self._rest(began)
        if self._leaving.is_set():
            raise Later(timedelta(0), "the service stops")
        if postponed:
            raise Postponed("some mailboxes are busy")

    async def record(self, tx: Tx, done: Sequence[TaskResult[None]]) -> None:
        """What became of each recipient is written down already."""

    async def _send(self, task: Task, batch: _Batch, *, over: bool) -> bool:
        """True where some mailboxes want it later. Raises NotNow where the mail server does.

        A stop that does not wait any longer cancels this: what was answered until then is recorded all the same.
        """
        attributes = {"newsletter.recipients": len(batch.people)}
        answers: dict[UUID, Answer] = {}

        async def one(row: Any) -> None:
            async with self._free:
                leaving = self._leaving.is_set()
                answers[row.buyer_id] = _NOT_BEGUN if leaving else await self._one(batch, row)

        try:
            with self._sending.tracing.call("smtp", "newsletter", task.continues, attributes, name="newsletter"):
                await asyncio.gather(*map(one, batch.people))
        finally:
            outcomes: list[tuple[UUID, Outcome, int | None]] = [
                (buyer, *_outcome(answer, over=over)) for buyer, answer in answers.items()
            ]
            await self._settle(batch.piece, outcomes)
        given = answers.values()
        if any(isinstance(one, NotNow) and one.refusal is None and one is not _NOT_BEGUN for one in given) and not over:
            raise Postponed("the mail server is not there")
        return any(state == "planned" for _, state, _ in outcomes)

    async def _settle(self, piece: RecipientRange, outcomes: list[tuple[UUID, Outcome, int | None]]) -> None:
        """Write down what became of mails; tried until the database takes it, since nobody can find it out again."""
        while True:
            try:
                async with self._sending.database.transaction("newsletter") as tx:
                    await newsletters.settle(tx, piece, outcomes)
            except Exception as error:
                if not is_infrastructure(error):
                    raise
                log.warning("newsletter_not_recorded", error=error, mails=len(outcomes))
                await asyncio.sleep(_RECORD_AGAIN_SECONDS)
            else:
                break
        for _, state, _ in outcomes:
            if state != "planned":
                self._mails.labels(state).inc()

    async def _one(self, batch: _Batch, row: Any) -> Answer:
        try:
            to = recipient(row.name, row.email)
        except InvalidValueError:
            return _NO_ADDRESS
        sender = self._sending.links.return_path("newsletter", row.mail_id)
        return await self._mailer.send(Mail(sender, to, partial(self._compose, batch, row, to)))

    def _compose(self, batch: _Batch, row: Any, to: Recipient) -> bytes:
        unsubscribe = self._sending.links.unsubscribe(row.buyer_id)
        language, letter = choose(batch.newsletter.letters, row.language)
        return message(
            render_newsletter(batch.store, language, letter, row.name, unsubscribe),
            batch.store,
            to,
            message_id=f"{row.mail_id}.newsletter@{self._sending.domain}",
            date=self._sending.database.clock.now(),
            signers=self._sending.signers.get(batch.newsletter.storefront, ()),
            more=list_headers(unsubscribe),
        )

    async def _rest(self, began: float) -> None:
        left = self._pause - (time.monotonic() - began)
        if left > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._leaving.wait()


def _outcome(answer: Answer, *, over: bool) -> tuple[Outcome, int | None]:
    match answer:
        case Accepted():
            return "sent", None
        case Refused(code=code):
            return "failed", code
        case NotNow():
            return ("failed", None) if over and answer is not _NOT_BEGUN else ("planned", None)
    return "unknown", None
